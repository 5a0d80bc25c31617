package rekognition

import "strings"

// OwnPrefix is the prefix of the paths of Recollect's own operations, which the service does not
// have. Their requests pass the steps of every request.
const OwnPrefix = "/recollect/v1/"

// IsOwnPath reports whether the path is that of an own operation. Others below [OwnPrefix] are
// served elsewhere.
func (s *Server) IsOwnPath(path string) bool {
	_, _, ok := s.ownOperation(path)
	return ok
}

// ownOperation finds the operation at a path, and the id in the path.
func (s *Server) ownOperation(path string) (op operation, id string, ok bool) {
	rest, below := strings.CutPrefix(path, OwnPrefix)
	if !below {
		return operation{}, "", false
	}
	for _, op := range s.own {
		before, after, named := strings.Cut(op.path, "{id}")
		if !named && rest == op.path {
			return op, "", true
		}
		id, starts := strings.CutPrefix(rest, before)
		id, ends := strings.CutSuffix(id, after)
		if named && starts && ends && id != "" && !strings.Contains(id, "/") {
			return op, id, true
		}
	}
	return operation{}, "", false
}

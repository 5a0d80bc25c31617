package iam

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request is what policies decide about: a principal, an action, a resource, and the values of
// context keys. A context key whose field has its zero value is missing from the request, which
// conditions can test.
type Request struct {
	Principal Principal
	Action    string // for example rekognition:IndexFaces
	Resource  string // an ARN, or * for an action that has no resource

	Time            time.Time         // aws:CurrentTime, aws:EpochTime
	SourceIP        netip.Addr        // aws:SourceIp
	SecureTransport bool              // aws:SecureTransport; never missing
	Region          string            // aws:RequestedRegion
	UserAgent       string            // aws:UserAgent
	ResourceTags    map[string]string // aws:ResourceTag/...: the tags that the resource has
	RequestTags     map[string]string // aws:RequestTag/...: the tags that the request brings
	// aws:TagKeys: the keys of tags that the request sets or removes
	TagKeys []string

	// Provider is the identity provider of a user who assumes a role, as host/path of its URL. The
	// request has no principal then.
	Provider string
	// Context has further context keys, in lower case: sts:externalid for example.
	Context map[string][]string

	// LoadResourceTags, if set, loads ResourceTags. [Service.Authorize] calls it if a policy of the
	// principal refers to one.
	LoadResourceTags func(context.Context) (map[string]string, error)
}

// Names of context keys, in the lower case that they are compared in.
const (
	resourceTagPrefix = "aws:resourcetag/"
	requestTagPrefix  = "aws:requesttag/"

	principalTagPrefix = "aws:principaltag/"
)

// values returns what the request has for a context key, given in lower case. None: the key is
// missing. Tag keys are compared without regard to case, so that a resource which is tagged with
// both Team and team has two values for one key.
func (r *Request) values(key string) []string {
	if tag, ok := strings.CutPrefix(key, resourceTagPrefix); ok {
		return tagValues(r.ResourceTags, tag)
	}
	if tag, ok := strings.CutPrefix(key, requestTagPrefix); ok {
		return tagValues(r.RequestTags, tag)
	}
	if tag, ok := strings.CutPrefix(key, principalTagPrefix); ok {
		return tagValues(r.Principal.Session.tags(), tag)
	}
	switch key {
	case "aws:tagkeys":
		return r.TagKeys
	case "aws:username":
		return present(r.Principal.UserName)
	case "aws:userid":
		return present(r.Principal.UserID)
	case "aws:principalarn":
		return present(r.Principal.principalARN())
	case "aws:principalaccount":
		return present(r.Principal.Account)
	case "aws:principaltype":
		switch {
		case r.Provider != "":
			return nil
		case r.Principal.IsRoot():
			return []string{"Account"}
		case r.Principal.Session.role() != "":
			return []string{"AssumedRole"}
		}
		return []string{"User"}
	case "aws:federatedprovider":
		return present(cmp.Or(r.Provider, r.Principal.Session.provider()))
	case "aws:tokenissuetime":
		if session := r.Principal.Session; session != nil {
			return []string{session.IssuedAt.UTC().Format(time.RFC3339)}
		}
	case "aws:resourceaccount":
		if r.Resource == "*" { // of what is the caller's own
			return present(r.Principal.Account)
		}
		return present(accountOf(r.Resource))
	case "aws:principalisawsservice", "aws:viaawsservice":
		return []string{"false"}
	case "aws:sourceip":
		if r.SourceIP.IsValid() {
			return []string{r.SourceIP.Unmap().WithZone("").String()}
		}
	case "aws:securetransport":
		return []string{strconv.FormatBool(r.SecureTransport)}
	case "aws:requestedregion":
		return present(r.Region)
	case "aws:useragent":
		return present(r.UserAgent)
	case "aws:currenttime":
		if !r.Time.IsZero() {
			return []string{r.Time.UTC().Format(time.RFC3339)}
		}
	case "aws:epochtime":
		if !r.Time.IsZero() {
			return []string{strconv.FormatInt(r.Time.Unix(), 10)}
		}
	}
	return r.Context[key]
}

func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// tagValues returns the values of the tags with this key, sorted.
func tagValues(tags map[string]string, key string) []string {
	var values []string
	for k, v := range tags {
		if strings.EqualFold(k, key) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

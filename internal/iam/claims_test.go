package iam

import "testing"

// FuzzClaims reads what only the server itself could have sealed.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"s":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","i":1,"e":2,"k":"AKIA1"}`))
	f.Add([]byte(`{"s":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","i":1,"e":2,"n":"x",` +
		`"r":[{"a":"123456789012","n":"camera","i":"AROA1"}],"p":"{}","t":{"a":"b"},"v":["a"]}`))
	f.Add([]byte(`{"x":1}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := parseClaims(plain)
		if err == nil && (len(c.secret()) != 40 || c.KeyID == "" && len(c.Roles) == 0) {
			t.Errorf("incomplete claims were read: %+v", c)
		}
	})
}

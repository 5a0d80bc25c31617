package iam

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// one is a policy with one statement of these members.
func one(members string) string {
	return `{"Version":"2012-10-17","Statement":{` + members + `}}`
}

const allow = `"Effect":"Allow","Action":"*","Resource":"*"`

func TestParseAccepts(t *testing.T) {
	for _, document := range []string{
		one(allow),
		`{"Statement":[{` + allow + `}]}`,
		`{"Statement":[{"Sid":"A",` + allow + `},{"Sid":"B",` + allow + `},{"Sid":"",` + allow +
			`},{"Sid":"",` + allow + `}],"Version":"2008-10-17","Id":"x"}`,
		one(`"Effect":"Deny","NotAction":["rekognition:List*","*:*"],` +
			`"NotResource":["arn:aws:rekognition:*:*:collection/a","*"]`),
		one(allow + `,"Condition":{}`),
		one(allow + `,"Condition":{"StringEquals":{"aws:username":["a","b"],` +
			`"aws:ResourceTag/Cost Center":"1"},"Bool":{"aws:SecureTransport":true},` +
			`"NumericLessThan":{"aws:EpochTime":1e9}}`),
		one(allow + `,"Condition":{"Null":{"aws:ResourceTag/x":[true,"false"]},` +
			`"ForAnyValue:StringLikeIfExists":{"aws:TagKeys":"*"}}`),
		one(allow + `,"Condition":{"BinaryEquals":{"k:v":"QmluYXJ5"},` +
			`"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32","::1","10.0.0.1"]}}`),
		one(`"Effect":"Allow","Action":"*",` +
			`"Resource":"arn:aws:rekognition:*:*:collection/${aws:username, 'x:y'}-${*}"`),
		// no variables in the older version
		`{"Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"arn:aws:rekognition:*:*:collection/${"}}`,
		" \n" + one(allow) + strings.Repeat(" ", 10_000) + "\n",
	} {
		if _, err := ParsePolicy([]byte(document)); err != nil {
			t.Errorf("%.300s: %v", document, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	condition := func(c string) string { return one(allow + `,"Condition":` + c) }
	for _, c := range []struct{ document, path, reason string }{
		{``, "", "ends too early"},
		{`x`, "", "not JSON"},
		{`null`, "", "must be an object"},
		{`[]`, "", "must be an object"},
		{`{}`, "", "Statement is missing"},
		{one(allow) + `{}`, "", "follows"},
		{`{"Version":"2012-10-17","Statement":{` + allow + `}`, "", "not JSON"},
		{`{"Version":"2013-01-01","Statement":{` + allow + `}}`, "/Version", "neither"},
		{`{"Version":2012,"Statement":{` + allow + `}}`, "/Version", "string"},
		{`{"Statements":{}}`, "/Statements", "unknown"},
		{`{"statement":{}}`, "/statement", "unknown"},
		{`{"Statement":[]}`, "/Statement", "empty"},
		{`{"Statement":"x"}`, "/Statement", "object"},
		{`{"Statement":[{` + allow + `},7]}`, "/Statement/1", "object"},
		{`{"Statement":{},"Statement":{}}`, "/Statement", "twice"},
		{one(`"Effect":"Allow","Effect":"Deny"`), "/Statement/Effect", "twice"},
		{`{"Statement":[{"Action":"*","Resource":"*"}]}`, "/Statement/0", "Effect is missing"},
		{one(`"Effect":"allow","Action":"*","Resource":"*"`), "/Statement/Effect", "Allow or Deny"},
		{one(`"Effect":"Allow","Resource":"*"`), "/Statement", "Action is missing"},
		{one(`"Effect":"Allow","Action":"*"`), "/Statement", "Resource is missing"},
		{one(`"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"`),
			"/Statement/NotAction", "either"},
		{one(`"Effect":"Allow","Action":"*","NotResource":"*","Resource":"*"`),
			"/Statement/Resource", "either"},
		{one(allow + `,"Principal":"*"`), "/Statement/Principal", "identity policy"},
		{one(allow + `,"NotPrincipal":"*"`), "/Statement/NotPrincipal", "identity policy"},
		{one(allow + `,"Sid":"a b"`), "/Statement/Sid", "letters"},
		{`{"Statement":[{"Sid":"A",` + allow + `},{"Sid":"A",` + allow + `}]}`, "/Statement/1/Sid",
			"same"},
		{one(`"Effect":"Allow","Action":[],"Resource":"*"`), "/Statement/Action", "empty"},
		{one(`"Effect":"Allow","Action":["*",7],"Resource":"*"`), "/Statement/Action/1", "string"},
		{one(`"Effect":"Allow","Action":"ListCollections","Resource":"*"`), "/Statement/Action",
			"not an action"},
		{one(`"Effect":"Allow","Action":"rek*:ListCollections","Resource":"*"`),
			"/Statement/Action", "not an action"},
		{one(`"Effect":"Allow","Action":"rekognition:","Resource":"*"`), "/Statement/Action",
			"not an action"},
		{one(`"Effect":"Allow","Action":"rekognition:${aws:username}","Resource":"*"`),
			"/Statement/Action", "not an action"},
		{one(`"Effect":"Allow","Action":"*","Resource":["*","people"]`), "/Statement/Resource/1",
			"ARN"},
		{one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:rek*:*:*:*"`),
			"/Statement/Resource", "without wildcards"},
		{one(`"Effect":"Allow","Action":"*",` +
			`"Resource":"arn:aws:rekognition:*:${aws:PrincipalAccount}:*"`), "/Statement/Resource",
			"fifth colon"},
		{one(`"Effect":"Allow","Action":"*","Resource":"arn:aws:rekognition:*:*:${aws:username"`),
			"/Statement/Resource", "closing brace"},
		{condition(`[]`), "/Statement/Condition", "object"},
		{condition(`{"StringEquals":"x"}`), "/Statement/Condition/StringEquals", "object"},
		{condition(`{"stringEquals":{"aws:username":"x"}}`),
			"/Statement/Condition/stringEquals/aws:username", "not a condition operator"},
		{condition(`{"ForAllValues:":{"aws:username":"x"}}`),
			"/Statement/Condition/ForAllValues:/aws:username", "not a condition operator"},
		{condition(`{"NullIfExists":{"aws:username":"true"}}`),
			"/Statement/Condition/NullIfExists/aws:username", "Null takes no"},
		{condition(`{"Null":{"aws:username":"yes"}}`), "/Statement/Condition/Null/aws:username",
			"true or false"},
		{condition(`{"StringEquals":{"username":"x"}}`),
			"/Statement/Condition/StringEquals/username", "not a condition key"},
		{condition(`{"StringEquals":{"aws:ResourceTag/${aws:username}":"x"}}`),
			"/Statement/Condition/StringEquals/aws:ResourceTag~1${aws:username}",
			"not a condition key"},
		{condition(`{"StringEquals":{"aws:username":[]}}`),
			"/Statement/Condition/StringEquals/aws:username", "empty"},
		{condition(`{"StringEquals":{"aws:username":null}}`),
			"/Statement/Condition/StringEquals/aws:username", "must be a string"},
		{condition(`{"StringEquals":{"aws:username":["x",{}]}}`),
			"/Statement/Condition/StringEquals/aws:username/1", "must be a string"},
		{condition(`{"StringLike":{"aws:username":"${x}"}}`),
			"/Statement/Condition/StringLike/aws:username", "policy variable"},
		{condition(`{"NumericEquals":{"aws:EpochTime":"0x10"}}`),
			"/Statement/Condition/NumericEquals/aws:EpochTime", "not a number"},
		{condition(`{"NumericEquals":{"aws:EpochTime":"Inf"}}`),
			"/Statement/Condition/NumericEquals/aws:EpochTime", "not a number"},
		{condition(`{"DateEquals":{"aws:CurrentTime":"tomorrow"}}`),
			"/Statement/Condition/DateEquals/aws:CurrentTime", "date"},
		{condition(`{"Bool":{"aws:SecureTransport":"yes"}}`),
			"/Statement/Condition/Bool/aws:SecureTransport", "true or false"},
		{condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`),
			"/Statement/Condition/IpAddress/aws:SourceIp", "IP address"},
		{condition(`{"IpAddress":{"aws:SourceIp":"fe80::1%eth0"}}`),
			"/Statement/Condition/IpAddress/aws:SourceIp", "IP address"},
		{condition(`{"ArnLike":{"aws:PrincipalArn":"anna"}}`),
			"/Statement/Condition/ArnLike/aws:PrincipalArn", "ARN"},
		{condition(`{"BinaryEquals":{"k:v":"?"}}`), "/Statement/Condition/BinaryEquals/k:v",
			"base64"},
		{one(allow + `,"Sid":"` + strings.Repeat("x", MaxPolicySize) + `"`), "",
			"larger than 6144"},
		{strings.Repeat(" ", 65<<10) + one(allow), "", "larger"},
		{`{"Statement":` + strings.Repeat("[", 5000) + strings.Repeat("]", 1000) + `}`, "", ""},
	} {
		_, err := ParsePolicy([]byte(c.document))
		e, ok := errors.AsType[*PolicyError](err)
		if !ok {
			t.Errorf("%.200s: error %v", c.document, err)
			continue
		}
		if c.path != "" && e.Path != c.path || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%.200s: %q at %q, want %q at %q", c.document, e.Reason, e.Path, c.reason,
				c.path)
		}
	}
}

func TestParseSizeLimitIsExact(t *testing.T) {
	document := one(allow + `,"Sid":""`)
	pad := MaxPolicySize - len(document)
	fits := strings.Replace(document, `"Sid":""`, `"Sid":"`+strings.Repeat("x", pad)+`"`, 1)
	if _, err := ParsePolicy([]byte(fits)); err != nil {
		t.Errorf("%d characters: %v", len(fits), err)
	}
	if _, err := ParsePolicy([]byte(strings.Replace(fits, "x", "xx", 1))); err == nil {
		t.Errorf("%d characters are accepted", len(fits)+1)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(one(allow)))
	f.Add([]byte(one(
		`"Effect":"Deny","NotAction":"a:b*?","NotResource":"arn:aws:s3:::${aws:username}",` +
			`"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["*${*}","${a:b,'c'}"]},` +
			`"DateLessThan":{"aws:CurrentTime":"2026-01-01"}}`)))
	f.Add([]byte(`{"Statement":[{"Sid":"x"`))
	f.Add([]byte(`{"Statement":[[[[[[[[`))
	r := &Request{Principal: User{Account: "123456789012", Name: "anna"}.Principal(), Action: "a:b",
		Resource: "arn:aws:s3:::anna", TagKeys: []string{"x", ""}}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := ParsePolicy(document)
		if err != nil {
			if _, ok := errors.AsType[*PolicyError](err); !ok {
				t.Errorf("an error of type %T", err)
			}
			return
		}
		if len(p.statements) == 0 {
			t.Error("a policy without statements")
		}
		Evaluate([]*Policy{p}, r)
	})
}

func TestAWSManagedPolicies(t *testing.T) {
	read := func(name string) *Policy {
		document, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePolicy(document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return p
	}
	full, readOnly, role := read("AmazonRekognitionFullAccess"),
		read("AmazonRekognitionReadOnlyAccess"), read("AmazonRekognitionServiceRole")
	builtin := func(name string) *Policy {
		p, ok := BuiltinPolicy(name)
		if !ok {
			t.Fatalf("no policy %s", name)
		}
		return mustPolicy(t, p.Document)
	}
	ourFull, ourReadOnly := builtin("full-access"), builtin("read-only")
	for _, c := range []struct {
		action, resource          string
		readOnly, ourReadOnly, wr Decision
	}{
		{"rekognition:ListCollections", "*", Allow, Allow, Allow},
		{"rekognition:SearchFacesByImage", peopleARN, Allow, Allow, Allow},
		// AWS left it out
		{"rekognition:DescribeCollection", peopleARN, ImplicitDeny, Allow, Allow},
		{"rekognition:SearchUsers", peopleARN, ImplicitDeny, Allow, Allow},
		{"rekognition:ListTagsForResource", peopleARN, Allow, Allow, Allow},
		{"rekognition:CreateCollection", "*", ImplicitDeny, ImplicitDeny, Allow},
		{"rekognition:IndexFaces", peopleARN, ImplicitDeny, ImplicitDeny, Allow},
		{"rekognition:TagResource", peopleARN, ImplicitDeny, ImplicitDeny, Allow},
		{"rekognition:AssociateFaces", peopleARN, ImplicitDeny, ImplicitDeny, Allow},
		{"s3:GetObject", "arn:aws:s3:::photos/a.jpg", ImplicitDeny, ImplicitDeny, ImplicitDeny},
	} {
		r := &Request{Principal: anna.Principal(), Action: c.action, Resource: c.resource}
		for policy, want := range map[*Policy]Decision{full: c.wr, ourFull: c.wr,
			readOnly: c.readOnly, ourReadOnly: c.ourReadOnly} {
			if got := Evaluate([]*Policy{policy}, r); got != want {
				t.Errorf("%s under %v: %v, want %v", c.action, policy, got, want)
			}
		}
	}
	for resource, want := range map[string]Decision{
		"arn:aws:sns:eu-west-1:123456789012:AmazonRekognitionDone": Allow,
		"arn:aws:sns:eu-west-1:123456789012:Done":                  ImplicitDeny,
	} {
		if got := Evaluate([]*Policy{role},
			&Request{Principal: anna.Principal(), Action: "sns:Publish",
				Resource: resource}); got != want {
			t.Errorf("publish to %s: %v, want %v", resource, got, want)
		}
	}
	if names := fmt.Sprintln(len(BuiltinPolicies()), BuiltinPolicies()[0].Name,
		BuiltinPolicies()[1].Name, BuiltinPolicies()[2].Name,
		BuiltinPolicies()[3].Name); names != "4 administrator full-access read-only s3-read\n" {
		t.Errorf("built-in policies: %s", names)
	}
}

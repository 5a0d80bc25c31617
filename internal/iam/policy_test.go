package iam

import (
	"net/netip"
	"testing"
	"time"
)

const peopleARN = "arn:aws:rekognition:us-east-1:123456789012:collection/people"

var anna = User{Account: "123456789012", Name: "anna", ID: "AIDAEXAMPLE"}

func mustPolicy(t testing.TB, document string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return p
}

func TestEvaluate(t *testing.T) {
	const (
		allowAll  = `"Effect":"Allow","Action":"*","Resource":"*"`
		denyAll   = `"Effect":"Deny","Action":"*","Resource":"*"`
		denyPlain = `"Effect":"Deny","NotAction":"rekognition:*","Resource":"*"`
	)
	for name, c := range map[string]struct {
		statements []string // a policy each
		want       Decision
	}{
		"no policy":                     {nil, ImplicitDeny},
		"allowed":                       {[]string{allowAll}, Allow},
		"deny wins, whatever the order": {[]string{allowAll, denyAll}, ExplicitDeny},
		"deny wins, the other order":    {[]string{denyAll, allowAll}, ExplicitDeny},
		"a deny of other things":        {[]string{allowAll, denyPlain}, Allow},
		"case of actions does not matter": {
			[]string{`"Effect":"Allow","Action":"REKOGNITION:indexFACES","Resource":"*"`}, Allow},
		"wildcards in actions": {
			[]string{`"Effect":"Allow","Action":"rekognition:Index????s","Resource":"*"`}, Allow},
		"another action": {
			[]string{`"Effect":"Allow","Action":"rekognition:List*","Resource":"*"`}, ImplicitDeny},
		"another service": {[]string{`"Effect":"Allow","Action":"s3:*","Resource":"*"`},
			ImplicitDeny},
		"one of several actions": {
			[]string{`"Effect":"Allow","Action":["s3:*","rekognition:IndexFaces"],"Resource":"*"`},
			Allow},
		"all actions but this": {
			[]string{
				`"Effect":"Allow","NotAction":["s3:*","rekognition:IndexFaces"],"Resource":"*"`},
			ImplicitDeny},
		"all actions but others": {[]string{`"Effect":"Allow","NotAction":"iam:*","Resource":"*"`},
			Allow},
		"the resource": {[]string{`"Effect":"Allow","Action":"*","Resource":"` +
			peopleARN + `"`}, Allow},
		"another resource": {[]string{`"Effect":"Allow","Action":"*","Resource":"` +
			peopleARN + `2"`}, ImplicitDeny},
		"all resources but this": {
			[]string{`"Effect":"Allow","Action":"*","NotResource":["` + peopleARN + `"]`},
			ImplicitDeny},
		"all resources but others": {
			[]string{`"Effect":"Allow","Action":"*","NotResource":"` + peopleARN + `2"`}, Allow},
		"not a resource that is not known": {
			[]string{
				`"Effect":"Allow","Action":"*",` +
					`"NotResource":"arn:aws:rekognition:*:*:collection/${aws:ResourceTag/none}"`},
			ImplicitDeny},
		"deny all but what is not known": {[]string{allowAll,
			`"Effect":"Deny","Action":"*",` +
				`"NotResource":"arn:aws:rekognition:*:*:collection/${aws:ResourceTag/none}"`},
			ExplicitDeny},
		"own resource": {
			[]string{
				`"Effect":"Allow","Action":"*",` +
					`"Resource":"arn:aws:rekognition:*:*:collection/${aws:ResourceTag/name}"`},
			Allow},
		"condition holds": {[]string{allowAll +
			`,"Condition":{"StringEquals":{"aws:username":"anna"},` +
			`"Bool":{"aws:SecureTransport":"false"}}`},
			Allow},
		"one condition does not hold": {[]string{allowAll +
			`,"Condition":{"StringEquals":{"aws:username":"anna"},` +
			`"Bool":{"aws:SecureTransport":"true"}}`},
			ImplicitDeny},
		"a resource without its last parts": {
			[]string{`"Effect":"Allow","Action":"*","Resource":"arn:aws:rekognition:us-east-1:*"`},
			Allow},
		"deny without the last parts": {[]string{allowAll,
			`"Effect":"Deny","Action":"*","Resource":"arn:aws:rekognition"`}, ExplicitDeny},
		"deny all but, without the last parts": {[]string{allowAll,
			`"Effect":"Deny","Action":"*","NotResource":"arn:aws:rekognition:*"`}, Allow},
		"deny under False": {[]string{allowAll, denyAll +
			`,"Condition":{"Bool":{"aws:SecureTransport":"False"}}`}, ExplicitDeny},
		"deny under a condition": {[]string{allowAll, denyAll +
			`,"Condition":{"StringNotEquals":{"aws:ResourceTag/name":"people"}}`}, Allow},
	} {
		var policies []*Policy
		for _, s := range c.statements {
			policies = append(policies, mustPolicy(t, one(s)))
		}
		r := &Request{Principal: anna.Principal(), Action: "rekognition:IndexFaces",
			Resource: peopleARN, ResourceTags: map[string]string{"name": "people"}}
		if got := Evaluate(policies, r); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRootAndOtherAccounts(t *testing.T) {
	r := &Request{Principal: rootPrincipal("123456789012"), Action: "rekognition:DeleteCollection",
		Resource: peopleARN}
	deny := []*Policy{mustPolicy(t, one(`"Effect":"Deny","Action":"*","Resource":"*"`))}
	if got := Evaluate(deny, r); got != Allow {
		t.Errorf("the root: %v", got)
	}
	r.Principal = rootPrincipal("210987654321")
	if got := Evaluate(nil, r); got != CrossAccountDeny {
		t.Errorf("another account's root: %v", got)
	}
	r.Principal = User{Account: "210987654321", Name: "anna"}.Principal()
	if got := Evaluate([]*Policy{mustPolicy(t, one(allow))}, r); got != CrossAccountDeny {
		t.Errorf("another account's user: %v", got)
	}
	if got := Evaluate(nil, r); got != ImplicitDeny {
		t.Errorf("another account's user without a policy: %v", got)
	}
	if got := Evaluate(deny, r); got != ExplicitDeny {
		t.Errorf("another account's user whom a policy denies it: %v", got)
	}
	for _, p := range []Principal{{}, {Account: "123456789012"},
		{Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/root"},
		{ARN: "arn:aws:iam:::root"}} {
		if p.IsRoot() {
			t.Errorf("%+v is a root", p)
		}
	}
}

func TestDeniedErrorReadsLikeTheService(t *testing.T) {
	e := DeniedError{Principal: anna.Principal(), Action: "rekognition:IndexFaces",
		Resource: peopleARN}
	const start = "User: arn:aws:iam::123456789012:user/anna is not authorized to perform: " +
		"rekognition:IndexFaces"
	for _, c := range []struct {
		resource string
		decision Decision
		want     string
	}{
		{peopleARN, ImplicitDeny, start + " on resource: " + peopleARN +
			" because no identity-based policy allows the rekognition:IndexFaces action"},
		{peopleARN, ExplicitDeny, start + " on resource: " + peopleARN +
			" with an explicit deny in an identity-based policy"},
		{peopleARN, CrossAccountDeny, start + " on resource: " + peopleARN +
			" because no resource-based policy allows the rekognition:IndexFaces action"},
		{"*", ImplicitDeny, start +
			" because no identity-based policy allows the rekognition:IndexFaces action"},
	} {
		e.Resource, e.Decision = c.resource, c.decision
		if got := e.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestConditions(t *testing.T) {
	const (
		yes = true
		no  = false
	)
	r := &Request{
		Principal:       anna.Principal(),
		Action:          "rekognition:IndexFaces",
		Resource:        peopleARN,
		Time:            time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
		SourceIP:        netip.MustParseAddr("::ffff:203.0.113.7"),
		SecureTransport: true,
		Region:          "us-east-1",
		UserAgent:       "Boto3/1.40",
		ResourceTags: map[string]string{"Team": "Blue", "level": "5", "both": "1", "BOTH": "2",
			"empty": "", "born": "2001-02-03", "bytes": "QUI="},
		RequestTags: map[string]string{"Team": "Red"},
		TagKeys:     []string{"Team", "Cost"},
	}
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`{"StringEquals":{"aws:username":"anna"}}`, yes},
		{`{"StringEquals":{"AWS:UserName":["berta","anna"]}}`, yes},
		{`{"StringEquals":{"aws:username":"Anna"}}`, no},
		{`{"StringEquals":{"aws:username":"ann*"}}`, no},
		{`{"StringEquals":{"aws:ResourceTag/Missing":"x"}}`, no},
		{`{"StringEquals":{"aws:ResourceTag/Missing":""}}`, no},
		{`{"StringEqualsIfExists":{"aws:ResourceTag/Missing":"x"}}`, yes},
		{`{"StringEqualsIfExists":{"aws:ResourceTag/Team":"x"}}`, no},
		{`{"StringNotEquals":{"aws:username":"berta"}}`, yes},
		{`{"StringNotEquals":{"aws:username":["berta","anna"]}}`, no},
		{`{"StringNotEquals":{"aws:ResourceTag/Missing":"x"}}`, yes},
		{`{"StringNotEqualsIfExists":{"aws:ResourceTag/Missing":"x"}}`, yes},
		{`{"StringEqualsIgnoreCase":{"aws:username":"ANNA"}}`, yes},
		{`{"StringEqualsIgnoreCase":{"aws:PrincipalArn":` +
			`"ARN:aws:iam::${aws:PrincipalAccount}:USER/${aws:username}"}}`, yes},
		{`{"StringNotEqualsIgnoreCase":{"aws:username":"ANNA"}}`, no},
		{`{"StringLike":{"aws:username":"a?n*"}}`, yes},
		{`{"StringNotLike":{"aws:username":"a?n*"}}`, no},
		{`{"StringLike":{"aws:UserAgent":"Boto3/*"}}`, yes},
		{`{"StringEquals":{"aws:ResourceTag/team":"Blue"}}`, yes},
		{`{"StringEquals":{"aws:RequestTag/Team":"Red","aws:ResourceTag/Team":"Blue"}}`, yes},
		{`{"StringEquals":{"aws:ResourceTag/both":"2"}}`, yes},
		{`{"StringNotEquals":{"aws:ResourceTag/both":"2"}}`, no},
		{`{"StringEquals":{"aws:PrincipalAccount":"123456789012","aws:PrincipalType":"User",` +
			`"aws:userid":"AIDAEXAMPLE","aws:RequestedRegion":"us-east-1"}}`, yes},
		{`{"StringEquals":{"aws:RequestTag/Team":"${aws:ResourceTag/Team}"}}`, no},
		{`{"StringEquals":{"aws:username":"${aws:ResourceTag/Missing,'anna'}"}}`, yes},

		{`{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}`, yes},
		{`{"StringNotEquals":{"aws:ResourceAccount":"123456789012"}}`, no},
		{`{"Bool":{"aws:ViaAWSService":"false","aws:PrincipalIsAWSService":"false"}}`, yes},

		{`{"NumericEquals":{"aws:ResourceTag/level":"5.0"}}`, yes},
		{`{"NumericEquals":{"aws:ResourceTag/level":5}}`, yes},
		{`{"NumericNotEquals":{"aws:ResourceTag/level":[4,5]}}`, no},
		{`{"NumericLessThan":{"aws:ResourceTag/level":5}}`, no},
		{`{"NumericLessThanEquals":{"aws:ResourceTag/level":5}}`, yes},
		{`{"NumericGreaterThan":{"aws:ResourceTag/level":4.5}}`, yes},
		{`{"NumericGreaterThanEquals":{"aws:ResourceTag/level":5.5}}`, no},
		{`{"NumericGreaterThan":{"aws:ResourceTag/level":[100,1]}}`, yes},
		{`{"NumericLessThan":{"aws:ResourceTag/Team":5}}`, no},
		{`{"NumericNotEquals":{"aws:ResourceTag/Team":5}}`, yes},

		{`{"DateEquals":{"aws:CurrentTime":"2026-03-01T11:00:00Z"}}`, yes},
		{`{"DateEquals":{"aws:CurrentTime":"2026-03-01T12:00+01:00"}}`, yes},
		{`{"DateEquals":{"aws:CurrentTime":1772362800}}`, yes},
		{`{"DateNotEquals":{"aws:CurrentTime":"2026-03-01"}}`, yes},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2026-03-01"}}`, yes},
		{`{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-04"}}`, no},
		{`{"DateLessThan":{"aws:CurrentTime":"2027"}}`, yes},
		{`{"DateLessThan":{"aws:EpochTime":"2027-01-01T00:00:00Z"}}`, yes},
		{`{"NumericLessThan":{"aws:EpochTime":1772362801}}`, yes},
		{`{"DateLessThanEquals":{"aws:ResourceTag/born":"2001-02-03T00:00:00.5Z"}}`, yes},

		{`{"Bool":{"aws:SecureTransport":true}}`, yes},
		{`{"Bool":{"aws:SecureTransport":"false"}}`, no},
		{`{"Bool":{"aws:SecureTransport":"True"}}`, yes},
		{`{"Bool":{"aws:SecureTransport":"FALSE"}}`, no},
		{`{"Null":{"aws:SecureTransport":"False"}}`, yes},
		{`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, no},
		{`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`, yes},
		{`{"BinaryEquals":{"aws:ResourceTag/bytes":"QUI="}}`, yes},
		{`{"BinaryEquals":{"aws:ResourceTag/Team":"QUI="}}`, no},

		{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, yes},
		{`{"IpAddress":{"aws:SourceIp":"203.0.113.99/24"}}`, yes},
		{`{"IpAddress":{"aws:SourceIp":"203.0.113.7"}}`, yes},
		{`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`, no},
		{`{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]}}`, no},
		{`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, yes},

		{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/a*"}}`, yes},
		{`{"ArnLike":{"aws:PrincipalArn":` +
			`"arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}"}}`, yes},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`, no},
		{`{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`, yes},
		{`{"ArnNotLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/*","arn:aws:iam::*:user/anna"]}}`,
			no},

		{`{"Null":{"aws:ResourceTag/Missing":"true"}}`, yes},
		{`{"Null":{"aws:ResourceTag/Team":"true"}}`, no},
		{`{"Null":{"aws:ResourceTag/Missing":false}}`, no},
		{`{"Null":{"aws:ResourceTag/empty":"false"}}`, yes},

		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Cost","Owner"]}}`, yes},
		{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}`, no},
		{`{"ForAllValues:StringEquals":{"k:missing":"x"}}`, yes},
		{`{"ForAllValues:StringEquals":{"aws:ResourceTag/empty":"x"}}`, yes},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["Owner","Secret"]}}`, yes},
		{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["Owner","Team"]}}`, no},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Owner","Team"]}}`, yes},
		{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Owner"]}}`, no},
		{`{"ForAnyValue:StringLike":{"aws:TagKeys":"C*"}}`, yes},
		{`{"ForAnyValue:StringEquals":{"k:missing":"x"}}`, no},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"Team"}}`, yes},
		{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["Team","Cost"]}}`, no},
		{`{"ForAnyValue:StringNotEquals":{"k:missing":"x"}}`, no},
		{`{"ForAnyValue:StringEqualsIfExists":{"k:missing":"x"}}`, yes},
	} {
		policy := mustPolicy(t, one(allow+`,"Condition":`+c.condition))
		if got := Evaluate([]*Policy{policy}, r) == Allow; got != c.want {
			t.Errorf("%s: %v, want %v", c.condition, got, c.want)
		}
	}
	// Circumstances that are not known are missing, not empty.
	bare := &Request{Principal: anna.Principal(), Action: "a:b", Resource: "*"}
	for _, key := range []string{"aws:SourceIp", "aws:CurrentTime", "aws:EpochTime",
		"aws:RequestedRegion", "aws:UserAgent", "aws:TagKeys", "aws:RequestTag/x",
		"aws:ResourceTag/x", "aws:Other"} {
		if Evaluate([]*Policy{mustPolicy(t, one(allow+`,"Condition":{"Null":{"`+key+`":"true"}}`))},
			bare) != Allow {
			t.Errorf("%s is not missing", key)
		}
	}
}

func BenchmarkEvaluateReadOnly(b *testing.B) {
	document, _ := BuiltinPolicy("read-only")
	policies := []*Policy{mustPolicy(b, document.Document)}
	r := &Request{Principal: anna.Principal(), Action: "rekognition:SearchUsersByImage",
		Resource: peopleARN}
	b.ReportAllocs()
	for b.Loop() {
		if Evaluate(policies, r) != Allow {
			b.Fatal("denied")
		}
	}
}

// A * that matches beyond a colon makes no Deny deny less.
func TestDenyIsNoWeakerBeyondColons(t *testing.T) {
	request := &Request{Principal: anna.Principal(), Action: "s3:GetObject",
		Resource: "arn:aws:s3:::private/x:photos/a"}
	allow := mustPolicy(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",
		"Resource":"arn:aws:s3:*:*:photos/*"}}`)
	if got := Evaluate([]*Policy{allow}, request); got != Allow {
		t.Errorf("a * beyond colons: %v", got)
	}
	for _, deny := range []string{`"Resource":"arn:aws:s3:*:*:photos/*"`,
		`"NotResource":"arn:aws:s3:*:*:photos/*"`} {
		policy := mustPolicy(t,
			`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*",`+deny+`}}`)
		if got := Evaluate([]*Policy{allow, policy}, request); got != ExplicitDeny {
			t.Errorf("Deny with %s: %v", deny, got)
		}
	}
}

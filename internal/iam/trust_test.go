package iam_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/iam"
)

const allowAssume = `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`

func trust(principal, rest string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole*",` +
		`"Principal":` + principal + rest + `}}`
}

func TestWhoMayAssumeARole(t *testing.T) {
	s, _ := newService(t)
	plain := mustUser(t, s, "plain").Principal
	able := mustUser(t, s, "able", allowAssume).Principal
	barred := mustUser(t, s, "barred",
		`{"Statement":{"Effect":"Deny","Action":"sts:*","Resource":"*"}}`).Principal
	parent := mustRole(t, s, "parent", trustAccount, allowAssume)
	caller, err := s.CreateAccessKey(t.Context(), account, "able")
	if err != nil {
		t.Fatal(err)
	}
	child := opened(t, s, beginRole(t, s, iam.RoleSession{Role: parent, Caller: caller})).Principal
	const policy = `{"Statement":{"Effect":"Allow","Action":"rekognition:*","Resource":"*"}}`
	narrow := opened(t, s, beginRole(t, s, iam.RoleSession{Role: parent, Caller: caller,
		Policy: policy})).Principal
	stranger := iam.User{Account: "210987654321", Name: "able"}.Principal()

	const elsewhere = "210987654321"
	if _, err := s.CreateUser(t.Context(), elsewhere, "guest"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutUserPolicy(t.Context(), elsewhere, "guest",
		iam.PolicyDocument{Name: "p", Document: allowAssume}); err != nil {
		t.Fatal(err)
	}
	guest := iam.User{Account: elsewhere, Name: "guest"}.Principal()

	itself := func(p iam.Principal) string { return `{"AWS":["` + p.ARN + `"]}` }
	for name, c := range map[string]struct {
		principal iam.Principal
		trust     string
		want      bool
	}{
		"account, with permission": {able, trust(`{"AWS":"`+account+`"}`, ""), true},
		"account, without":         {plain, trust(`{"AWS":"`+account+`"}`, ""), false},
		"root ARN, with permission": {able,
			trust(`{"AWS":"arn:aws:iam::`+account+`:root"}`, ""), true},
		"named, without permission":         {plain, trust(itself(plain), ""), true},
		"named, and barred":                 {barred, trust(itself(barred), ""), false},
		"another is named":                  {able, trust(itself(plain), ""), false},
		"everybody":                         {plain, trust(`"*"`, ""), true},
		"everybody of AWS":                  {plain, trust(`{"AWS":"*"}`, ""), true},
		"everybody, another account":        {stranger, trust(`"*"`, ""), false},
		"another account alone":             {stranger, trust(itself(stranger), ""), false},
		"another account, with permission":  {guest, trust(itself(guest), ""), true},
		"another account, permission alone": {guest, trust(itself(stranger), ""), false},
		"another account as a whole":        {guest, trust(`{"AWS":"`+elsewhere+`"}`, ""), true},
		"another account as a whole, permissions": {stranger, trust(`{"AWS":"`+elsewhere+`"}`, ""),
			false},
		"a provider alone":      {able, trust(`{"Federated":"id.example.com"}`, ""), false},
		"a role, by its ARN":    {child, trust(`{"AWS":"`+parent.ARN()+`"}`, ""), true},
		"a session, by its ARN": {child, trust(itself(child), ""), true},
		"a role, restricted":    {narrow, trust(`{"AWS":"`+parent.ARN()+`"}`, ""), false},
		"condition that holds": {plain,
			trust(itself(plain), `,"Condition":{"StringEquals":{"sts:ExternalId":"42"}}`), true},
		"condition that does not": {plain,
			trust(itself(plain), `,"Condition":{"StringEquals":{"sts:ExternalId":"43"}}`), false},
		"condition on the caller": {plain,
			trust(`"*"`, `,"Condition":{"StringEquals":{"aws:username":"plain"}}`), true},
		"trust policy for another call": {able,
			strings.Replace(trust(`"*"`, ""), "sts:AssumeRole*", "sts:TagSession", 1), false},
		"denied beside": {plain, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},` +
			`{"Effect":"Deny","Principal":` + itself(plain) + `,"Action":"sts:AssumeRole"}]}`,
			false},
	} {
		role := mustRole(t, s, "camera", c.trust)
		got, err := s.AuthorizeRole(t.Context(), &iam.Request{Principal: c.principal,
			Action: "sts:AssumeRole", Resource: role.ARN(),
			Context: map[string][]string{"sts:externalid": {"42"}}})
		if (err == nil) != c.want || err == nil && got.ID != role.ID {
			t.Errorf("%s: %v, want allowed %v", name, err, c.want)
		}
		if denied, ok := errors.AsType[*iam.DeniedError](err); err != nil && (!ok ||
			denied.Error() != "User: "+c.principal.ARN+
				" is not authorized to perform: sts:AssumeRole on resource: "+role.ARN()) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if err := s.DeleteRole(t.Context(), account, "camera"); err != nil {
			t.Fatal(err)
		}
	}
	for _, arn := range []string{cameraARN, "", "arn:aws:iam::" + account + ":user/able",
		"arn:aws:iam::1:role/camera", "arn:aws:iam::" + account + ":role/a/b"} {
		_, err := s.AuthorizeRole(t.Context(), &iam.Request{Principal: able,
			Action: "sts:AssumeRole", Resource: arn})
		if _, ok := errors.AsType[*iam.DeniedError](err); !ok {
			t.Errorf("no role %q: %v", arn, err)
		}
	}
}

func TestProvidersInTrustPolicies(t *testing.T) {
	s, _ := newService(t)
	for name, c := range map[string]struct {
		trust string
		want  bool
	}{
		"its name": {trust(`{"Federated":"id.example.com/realms/x"}`, ""), true},
		"its ARN": {trust(`{"Federated":"arn:aws:iam::`+account+
			`:oidc-provider/id.example.com/realms/x"}`, ""), true},
		"ARN of another account": {trust(`{"Federated":"arn:aws:iam::210987654321`+
			`:oidc-provider/id.example.com/realms/x"}`, ""), false},
		"another":   {trust(`{"Federated":"id.example.com"}`, ""), false},
		"everybody": {trust(`"*"`, ""), false},
		"its subject": {trust(`{"Federated":"id.example.com/realms/x"}`,
			`,"Condition":{"StringLike":{"id.example.com/realms/x:sub":"pod:*"}}`), true},
		"another subject": {trust(`{"Federated":"id.example.com/realms/x"}`,
			`,"Condition":{"StringEquals":{"id.example.com/realms/x:sub":"pod:b"}}`), false},
	} {
		role := mustRole(t, s, "camera", c.trust)
		_, err := s.AuthorizeRole(t.Context(), &iam.Request{
			Provider: "id.example.com/realms/x", Action: "sts:AssumeRoleWithWebIdentity",
			Resource: role.ARN(),
			Context:  map[string][]string{"id.example.com/realms/x:sub": {"pod:a"}}})
		if (err == nil) != c.want {
			t.Errorf("%s: %v, want allowed %v", name, err, c.want)
		}
		if err := s.DeleteRole(t.Context(), account, "camera"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrustPoliciesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ policy, want string }{
		{`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`, "Principal is missing"},
		{trust(`{}`, ""), "Principal is missing"},
		{trust(`"123456789012"`, ""), "must be"},
		{trust(`{"AWS":[]}`, ""), "must not be empty"},
		{trust(`{"AWS":"arn:aws:iam::123456789012:user/*"}`, ""), "is no principal"},
		{trust(`{"AWS":"anna"}`, ""), "is no principal"},
		{trust(`{"Service":"lambda.amazonaws.com"}`, ""), "no services"},
		{trust(`{"CanonicalUser":"x"}`, ""), "unknown"},
		{trust(`{"Federated":"https://id.example.com"}`, ""), "is no identity provider"},
		{trust(`{"AWS":"*","Federated":"id.example.com"}`, ""), "everybody"},
		{trust(`"*"`, `,"Resource":"*"`), "a trust policy has none"},
		{trust(`"*"`, `,"NotPrincipal":{"AWS":"123456789012"}`), "by Principal"},
		{trust(`"*"`, `,"Sid":"`+strings.Repeat("a", iam.MaxTrustPolicySize)+`"`),
			"larger than 4096"},
		{`not JSON`, "not JSON"},
	} {
		_, err := iam.ParseTrustPolicy([]byte(c.policy))
		if e, ok := errors.AsType[*iam.PolicyError](err); !ok ||
			!strings.Contains(e.Error(), c.want) {
			t.Errorf("%.200s: %v, want %q", c.policy, err, c.want)
		}
	}
	_, err := iam.ParsePolicy([]byte(trust(`"*"`, `,"Resource":"*"`)))
	if _, ok := errors.AsType[*iam.PolicyError](err); !ok {
		t.Errorf("an identity policy with a principal: %v", err)
	}
}

func TestRolesThatAreRefused(t *testing.T) {
	s, _ := newService(t)
	valid := iam.Role{Account: account, Name: "camera", TrustPolicy: trustAccount,
		MaxSession: iam.LeastMaxSession}
	for name, change := range map[string]func(*iam.Role){
		"account":      func(r *iam.Role) { r.Account = "1" },
		"name":         func(r *iam.Role) { r.Name = "a/b" },
		"short":        func(r *iam.Role) { r.MaxSession = iam.LeastMaxSession - 1 },
		"long":         func(r *iam.Role) { r.MaxSession = iam.MostMaxSession + 1 },
		"trust policy": func(r *iam.Role) { r.TrustPolicy = "{}" },
		"policy": func(r *iam.Role) {
			r.Policies = []iam.PolicyDocument{{Name: "p", Document: "{}"}}
		},
	} {
		r := valid
		change(&r)
		if _, err := s.CreateRole(t.Context(), r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.CreateRole(t.Context(), valid); err != nil {
		t.Fatal(err)
	}
	full := iam.PolicyDocument{Name: "Full", Document: allowAll}
	for _, name := range []string{"Full", "fULL", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		full.Name = name
		if err := s.PutRolePolicy(t.Context(), account, "CAMERA", full); err != nil {
			t.Fatal(name, err)
		}
	}
	full.Name = "k"
	if err := s.PutRolePolicy(t.Context(), account, "camera", full); !errors.Is(err,
		iam.ErrLimit) {
		t.Errorf("an eleventh policy: %v", err)
	}
	if err := s.DeleteRolePolicy(t.Context(), account, "camera", "full"); err != nil {
		t.Error(err)
	}
	if err := s.DeleteRolePolicy(t.Context(), account, "camera", "full"); !errors.Is(err,
		iam.ErrNotFound) {
		t.Errorf("a policy that is not there: %v", err)
	}
	if err := s.SetTrustPolicy(t.Context(), account, "camera", "{}"); err == nil {
		t.Error("a trust policy that is none was accepted")
	}
	for doing, err := range map[string]error{
		"revoking a role's": s.RevokeRoleSessions(t.Context(), account, "nobody"),
		"revoking a user's": s.RevokeUserSessions(t.Context(), account, "nobody"),
		"deleting":          s.DeleteRole(t.Context(), account, "nobody"),
	} {
		if !errors.Is(err, iam.ErrNotFound) {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

func FuzzTrustPolicy(f *testing.F) {
	f.Add(trustAccount)
	f.Add(trust(`{"Federated":"id.example.com/realms/x"}`,
		`,"Condition":{"StringLike":{"id.example.com/realms/x:sub":"pod:*"}}`))
	f.Fuzz(func(t *testing.T, document string) {
		if _, err := iam.ParseTrustPolicy([]byte(document)); err != nil {
			if _, ok := errors.AsType[*iam.PolicyError](err); !ok {
				t.Errorf("an error of another type: %v", err)
			}
		}
	})
}

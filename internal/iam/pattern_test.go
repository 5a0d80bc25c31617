package iam

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func mustPattern(t testing.TB, s string) pattern {
	t.Helper()
	tmpl, err := parseTemplate(s, syntax{wildcards: true})
	if err != nil {
		t.Fatal(err)
	}
	p, ok := tmpl.resolve(&Request{})
	if !ok {
		t.Fatalf("%q does not resolve", s)
	}
	return p
}

// naiveMatch says what * and ? mean, at exponential cost.
func naiveMatch(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return naiveMatch(p[1:], s) || len(s) > 0 && naiveMatch(p, s[1:])
	default:
		return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && naiveMatch(p[1:], s[1:])
	}
}

func TestWildcardsLikeNaive(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(alphabet string, n int) string {
		runes := []rune(alphabet)
		word := make([]rune, random.IntN(n+1))
		for i := range word {
			word[i] = runes[random.IntN(len(runes))]
		}
		return string(word)
	}
	matches := 0
	for range 200_000 {
		p, s := word("ab€**?", 8), word("ab€", 10)
		want := naiveMatch([]rune(p), []rune(s))
		if got := mustPattern(t, p).match(s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
		}
		if want {
			matches++
		}
	}
	if matches < 10_000 {
		t.Errorf("only %d of the random words match their patterns", matches)
	}
}

func FuzzWildcards(f *testing.F) {
	f.Add("*", "")
	f.Add("a*b?c", "axxbbc")
	f.Add("**?é*", "aéé")
	f.Add("\xff?", "\xff\xfe")
	f.Fuzz(func(t *testing.T, p, s string) {
		if strings.Count(p, "*") > 3 || len(s) > 60 {
			return // beyond what the naive implementation can do
		}
		got := mustPattern(t, p).match(s)
		// What is not UTF-8 is only promised not to hang or panic: a policy cannot hold it.
		if utf8.ValidString(p) && utf8.ValidString(s) {
			if want := naiveMatch([]rune(p), []rune(s)); got != want {
				t.Errorf("%q matches %q: %v, want %v", p, s, got, want)
			}
		}
	})
}

func TestWildcardsOfBytesThatAreNotUTF8(t *testing.T) {
	if mustPattern(t, "\uFFFD").match("\xff") {
		t.Error("a broken byte equals a character")
	}
	if !mustPattern(t, "a?c").match("a\xffc") {
		t.Error("? does not match a broken byte")
	}
}

func TestWildcardsTakeBoundedTime(t *testing.T) {
	// About a million steps, since only the latest * is tried again; trying all of them would take
	// longer than the universe has.
	p := mustPattern(t, strings.Repeat("*a", 500)+"*"+strings.Repeat("a", 750)+"b")
	start := time.Now()
	if p.match(strings.Repeat("a", 2048)) {
		t.Error("matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestVariables(t *testing.T) {
	anna := &Request{Principal: User{Account: "123456789012", Name: "anna", ID: "AIDA"}.Principal(),
		ResourceTags: map[string]string{
			"star": "a*", "two": "1", "TWO": "2", "dollar": "${aws:username}",
		}}
	for _, c := range []struct {
		template, value string
		want            bool
	}{
		{"${aws:username}", "anna", true},
		{"${AWS:UserName}", "anna", true},
		{"x-${aws:username}-*", "x-anna-7", true},
		{"x-${aws:username}-*", "x-berta-7", false},
		{"${aws:ResourceTag/star}", "a*", true},
		{"${aws:ResourceTag/star}", "abc", false}, // wildcards in a value are literal
		{"${aws:ResourceTag/dollar}", "${aws:username}", true},
		{"${aws:ResourceTag/dollar}", "anna", false}, // and so are variables
		{"${aws:ResourceTag/none}", "", false},
		{"${aws:ResourceTag/none}", "${aws:ResourceTag/none}", false},
		{"${aws:ResourceTag/none, 'all'}", "all", true},
		{"${aws:ResourceTag/none,'*'}", "x", false},
		{"${aws:ResourceTag/none,''}", "", true},
		{"${aws:username, 'x'}", "anna", true},
		{"${aws:ResourceTag/two}", "1", false}, // two values
		{"${aws:ResourceTag/two, '1'}", "1", false},
		{"${*}${?}${$}", "*?$", true},
		{"${*}", "x", false},
		{"$x", "$x", true},
		{"{x}", "{x}", true},
	} {
		tmpl, err := parseTemplate(c.template, syntax{wildcards: true, variables: true})
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
		} else if got := tmpl.match(c.value, anna); got != c.want {
			t.Errorf("%s matches %q: %v, want %v", c.template, c.value, got, c.want)
		}
	}
	for _, bad := range []string{"${", "${}", "${aws:username", "${username}", "${aws:username, x}",
		"${aws:username, '}", "${aws:${aws:username}}", "${:}", "${**}"} {
		if _, err := parseTemplate(bad, syntax{variables: true}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	// The older version of the language has none.
	if tmpl, err := parseTemplate("${aws:username}", syntax{}); err != nil ||
		!tmpl.match("${aws:username}", anna) {
		t.Errorf("without variables: %v", err)
	}
}

func TestARNPatterns(t *testing.T) {
	const people = "arn:aws:rekognition:us-east-1:123456789012:collection/people"
	for _, c := range []struct {
		pattern, arn string
		want         bool
	}{
		{"*", people, true},
		{"*", "*", true},
		{people, people, true},
		{people, "*", false},
		{"arn:*:rekognition:*:*:*", people, true},
		{"arn:aws:rekognition:us-*:123456789012:collection/*", people, true},
		{"arn:aws:rekognition:*:*:collection/peopl?", people, true},
		{"arn:aws:rekognition:*:*:collection/PEOPLE", people, false},
		{"arn:aws:rekognition:*:210987654321:collection/people", people, false},
		{"arn:aws:rekognition:*:*:projectversion/*", people, false},
		{"arn:aws:rekognition:us*:collection/people:x:y", people, false},
		{"arn:aws:rekognition:u*2:*:*", people, false}, // * stays in its part
		{"arn:aws:s3:::photos/*", "arn:aws:s3:::photos/a/b:c:d", true},
		{"arn:aws:s3:::photos/*:d", "arn:aws:s3:::photos/a/b:c:d", true},
		{"arn:aws:s3:::photos/*", "arn:aws:s3:::photos", false},
		{"arn:aws:rekognition:*:*:*", "arn:aws:rekognition:us-east-1", false},
		{"arn:aws:rekognition:*:*:*", "", false},
	} {
		p, err := parseARNPattern(c.pattern, syntax{wildcards: true, variables: true})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := p.match(c.arn, &Request{}); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.arn, got, c.want)
		}
	}
	for _, bad := range []string{"", "people", "arn:*", "arn:aws:s3:*", "**", "a*n:aws:s3:::x",
		"arn:aws:s3::x", "arn:aws:s3:::${x"} {
		if _, err := parseARNPattern(bad, syntax{wildcards: true, variables: true}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

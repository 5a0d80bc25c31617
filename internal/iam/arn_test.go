package iam

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func mustParseResource(t *testing.T, text string) resourcePattern {
	t.Helper()
	p, err := parseResourcePattern(text, syntax{wildcards: true, variables: true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestResourcePatterns(t *testing.T) {
	const people = "arn:aws:rekognition:us-east-1:123456789012:collection/people"
	for _, c := range []struct {
		pattern, arn string
		want         bool
	}{
		{"*", "*", true},
		{"arn:aws:rekognition", people, true},
		{"arn:aws:rekognition", "*", false},
		{"arn:aws:rekognition", "arn:aws:s3:::photos/a", false},
		{"arn:aws:rekognition:*", people, true},
		{"arn:aws:rekognition:us-east-1", people, true},
		{"arn:aws:rekognition:us-east-1:*", people, true},
		{"arn:aws:rekognition:eu-west-1:*", people, false},
		{"arn:aws:rekognition:us-east-1:123456789012", people, true},
		{"arn:aws:rekognition:us-east-1:210987654321", people, false},
		{"arn:aws:rekognition:*:210987654321:collection/people", people, false},
		{"arn:aws:rekognition:u*2:*:*", people, false}, // the * does not end its part
		{"arn:aws:s3", "arn:aws:s3:::photos/a:b", true},
		{"arn:aws:s3:*:photos/*:*", "arn:aws:s3:::x:photos/a:b", true},
		{"arn:aws:s3:*:*:photos/*", "arn:aws:s3:::x:y:photos/a", true},
		{"arn:aws:s3:*:*:photos/*", "arn:aws:s3:::x:y:photo/a", false},
		{"arn:aws:s3:?:*:photos/*", "arn:aws:s3:::x:y:photos/a", false},
		{"arn:*:rekognition", "arn:aws:s3:::x:rekognition:a:b:c", false},
		{"arn:a*:rekognition:*:*:*", "arn:aws:s3:::x:rekognition:a:b:c", false},
	} {
		if got := mustParseResource(t, c.pattern).match(c.arn, &Request{}); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.arn, got, c.want)
		}
	}
	for _, bad := range []string{"", "people", "**", "a*n:aws:s3:::x", "*:aws:s3",
		"arn:aws:s3:::${x"} {
		if _, err := parseResourcePattern(bad,
			syntax{wildcards: true, variables: true}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// randomText joins words that collide often.
func randomText(random *rand.Rand, words string, most int) string {
	var b strings.Builder
	for range random.IntN(most + 1) {
		b.WriteByte(words[random.IntN(len(words))])
	}
	return b.String()
}

func randomARN(random *rand.Rand) string {
	return "arn:" + randomText(random, "ab", 1) + ":s:" + randomText(random, "ab::", 8)
}

// A pattern without its last parts matches what it matches with them written out as wildcards.
func TestMissingPartsAreWildcards(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	matched := 0
	for range 20_000 {
		parts := []string{"arn", randomText(random, "ab*", 2), "s"}
		for len(parts) < 3+random.IntN(3) {
			parts = append(parts, randomText(random, "ab*?", 2))
		}
		short := strings.Join(parts, ":")
		long := short + strings.Repeat(":*", arnParts-len(parts))
		arn := randomARN(random)
		got := mustParseResource(t, short).match(arn, &Request{})
		if want := mustParseResource(t, long).match(arn, &Request{}); got != want {
			t.Fatalf("%s matches %s: %v, and %s: %v", short, arn, got, long, want)
		} else if want {
			matched++
		}
	}
	if matched < 500 {
		t.Errorf("only %d of the pairs matched", matched)
	}
}

// A pattern matches what it matches part by part, and what its text matches where a * that ends the
// region or the account stands for any characters. A Deny thus denies no less than part by part.
func TestResourcePatternsMatchBeyondColons(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	beyond := 0
	for range 50_000 {
		parts := []string{"arn", randomText(random, "ab*", 2), "s", randomText(random, "ab**?", 2),
			randomText(random, "ab**?", 2), randomText(random, "ab:*?", 3)}
		text, arn := strings.Join(parts, ":"), randomARN(random)
		got := mustParseResource(t, text).match(arn, &Request{})
		strict, err := parseARNPattern(text, syntax{wildcards: true})
		if err != nil {
			t.Fatal(err)
		}
		if strict.match(arn, &Request{}) && !got {
			t.Fatalf("%s matches %s part by part alone", text, arn)
		}
		if want := matchesReference(parts, arn); got != want {
			t.Fatalf("%s matches %s: %v, want %v", text, arn, got, want)
		} else if want && !strict.match(arn, &Request{}) {
			beyond++
		}
	}
	if beyond < 100 {
		t.Errorf("only %d of the pairs matched beyond a colon", beyond)
	}
}

// matchesReference tries every way to cut an ARN into parts.
func matchesReference(parts []string, arn string) bool {
	glob := func(text, s string) bool {
		tmpl, err := parseTemplate(text, syntax{wildcards: true})
		return err == nil && tmpl.match(s, &Request{})
	}
	part, index := parts[0], arnParts-len(parts)
	if len(parts) == 1 {
		return glob(part, arn)
	}
	for i := range len(arn) {
		if arn[i] != ':' {
			continue
		}
		first, _, beyond := strings.Cut(arn[:i], ":")
		if beyond && (index != 3 && index != 4 || !strings.HasSuffix(part, "*")) {
			break
		}
		if glob(part, first) && matchesReference(parts[1:], arn[i+1:]) {
			return true
		}
	}
	return false
}

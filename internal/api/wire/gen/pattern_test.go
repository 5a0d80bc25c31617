package main

import "testing"

func TestTranslate(t *testing.T) {
	for _, test := range []struct {
		source    string
		want      string
		notPrefix string
		maxLength int
	}{
		{`[a-z\-]+`, `[a-z\-]+`, "", 0},
		{`(^arn:.+\/\d{12}$)`, `(^arn:[^\n\r\x{85}\x{2028}\x{2029}]+\/\d{12}$)`, "", 0},
		{`[.\w]*\S`, `[.\w]*[^\t\n\v\f\r ]`, "", 0},
		{`[\u0020-\u00FF]+`, `[\x{0020}-\x{00FF}]+`, "", 0},
		{`^(?!aws:)[\p{L}]*$`, `^[\p{L}]*$`, "aws:", 0},
		{`^[a-z]x[0-9]{0,2048}$`, `^[a-z]x[0-9]*$`, "", 2050},
		{`^[a-z]{0,1000}$`, `^[a-z]{0,1000}$`, "", 0},
	} {
		p, err := translate(test.source)
		if err != nil || p.expr != test.want || p.notPrefix != test.notPrefix ||
			p.maxLength != test.maxLength {
			t.Errorf("%s: %+v, %v", test.source, p, err)
		}
	}
	for _, source := range []string{
		`a(?=b)`, `(?<!a)b`, `a(?!b)`, `(?i)a`, `(a)\1`, `a++`, `a+?`, `[a-z]{2}?`, `[a[b]]`,
		`[a-z&&[b]]`, `\h`, `[\S]`, `\Qa\E`, `a\`,
		`[a-z]+[0-9]{0,2048}$`, `^[a-z]+[0-9]{0,2048}$`, `a{2,2048}`, `(`, `a\Z`,
	} {
		if p, err := translate(source); err == nil {
			t.Errorf("%s is taken as %s", source, p.expr)
		}
	}
}

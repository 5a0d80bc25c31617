package main

import "testing"

// Versions are in the order of the commits: a build after 1.2.0 is before 1.2.1.
func TestVersions(t *testing.T) {
	for _, c := range [][3]string{
		{"1.2.0", "1.2.0", "1.2.0"},
		{"1.2.0-5-gabc1234", "1.2.1.dev5+gabc1234", "1.2.1-5.gabc1234"},
		{"1.2.0-5-gabc1234-dirty", "1.2.1.dev5+gabc1234.dirty", "1.2.1-5.gabc1234.dirty"},
		{"1.2.0-dirty", "1.2.1.dev0+dirty", "1.2.1-0.dirty"},
		{"0.0.0-420-g7ac83b5", "0.0.1.dev420+g7ac83b5", "0.0.1-420.g7ac83b5"},
		{"devel", "", ""},
	} {
		python, err := pythonVersion(c[0])
		if python != c[1] || (err != nil) != (c[1] == "") {
			t.Errorf("%s in Python is %q, %v, want %q", c[0], python, err, c[1])
		}
		node, err := npmVersion(c[0])
		if node != c[2] || (err != nil) != (c[2] == "") {
			t.Errorf("%s in npm is %q, %v, want %q", c[0], node, err, c[2])
		}
	}
}

package sts

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/api/ratelimit"
)

func TestLists(t *testing.T) {
	f, err := parseForm("L.member.2.Key=b&L.member.1.Key=a&L.member.1.Value=v&M.member.10=x&" +
		"M.member.9=y")
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.list("L")
	if err != nil || len(l) != 2 || l[0].text("Key") != "a" || l[0].text("Value") != "v" ||
		l[1].text("Key") != "b" || l[1].has("Value") {
		t.Errorf("%v, %v", l, err)
	}
	m, err := f.list("M")
	if err != nil || len(m) != 2 || m[0].text("") != "y" || m[1].text("") != "x" {
		t.Errorf("%v, %v", m, err)
	}
	for _, text := range []string{"L.member.0=a", "L.member.01=a", "L.member.-1=a", "L.member.=a",
		"L.member.9999999999999999999=a", "L.member.513=a"} {
		f, err := parseForm(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.list("L"); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("Action=AssumeRole&Version=2011-06-15&Tags.member.1.Key=a&Tags.member.1.Value=b")
	f.Add("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fcamera&RoleSessionName=lobby&" +
		"TransitiveTagKeys.member.1=a&DurationSeconds=900&Policy=%7B%7D")
	f.Add("a=%ff&b")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseForm(text)
		if err == nil {
			var input *roleInput
			if input, err = roleInputOf(parsed); err == nil && (input.seconds < leastDuration ||
				input.seconds > mostDuration || len(input.name) < 2 || len(input.tags) > 50) {
				t.Errorf("%q is read as %+v", text, input)
			}
		}
		if _, ok := errors.AsType[*fault](err); err != nil && !ok {
			t.Errorf("%q: an error of another type: %v", text, err)
		}
	})
}

func TestNetworks(t *testing.T) {
	n, now := newNetworks(), time.Now()
	one, same, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"),
		netip.MustParseAddr("192.0.2.1")
	var leaves []func()
	for range maxOfNetwork / 2 {
		for _, a := range []netip.Addr{one, same} {
			leave, ok := n.enter(a)
			if !ok {
				t.Fatal("rejected below the bound")
			}
			leaves = append(leaves, leave)
		}
	}
	if _, ok := n.enter(one); ok {
		t.Error("one more of the network is admitted")
	}
	leave, ok := n.enter(other)
	if !ok {
		t.Fatal("another network is rejected")
	}
	for _, leave := range append(leaves, leave) {
		leave()
	}
	if len(n.bodies) != 0 {
		t.Errorf("%d networks are counted after all left", len(n.bodies))
	}

	allowed := 0
	for range 2 * unsignedBurst {
		if n.allow(one, now) {
			allowed++
		}
	}
	if allowed != unsignedBurst || n.allow(same, now) || !n.allow(other, now) {
		t.Errorf("%d of one network are allowed", allowed)
	}
	if !n.allow(one, now.Add(time.Second)) {
		t.Error("none is allowed a second later")
	}
	// Many networks do not fill the memory, and idle ones are deleted.
	a := netip.MustParseAddr("10.0.0.0")
	for range ratelimit.MaxKeys + 1000 {
		n.allow(a, now)
		a = a.Next()
	}
	if n.buckets.Len() > ratelimit.MaxKeys {
		t.Errorf("%d buckets", n.buckets.Len())
	}
	n.allow(netip.MustParseAddr("192.0.2.77"), now.Add(time.Hour))
	if n.buckets.Len() > ratelimit.MaxKeys/2 {
		t.Errorf("%d buckets an hour later", n.buckets.Len())
	}
}

package record

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/recollect-dev/recollect/internal/iam"
)

// IdentityColumns are the columns of a row u that [ScanIdentity] reads.
const IdentityColumns = "u.account, u.name, u.id, u.created_ms"

// ScanIdentity reads a row of [IdentityColumns].
func ScanIdentity(row Row) (iam.User, error) {
	var u iam.User
	var createdMillis int64
	err := row.Scan(&u.Account, &u.Name, &u.ID, &createdMillis)
	u.CreatedAt = at(createdMillis)
	return u, err
}

// ScanKey reads a row of an access key and then of more columns into more. The columns of the key
// are its id, account, user's name, sealed secret, whether it is active, and when it was created.
func ScanKey(row Row, more ...any) (iam.KeyRecord, error) {
	var k iam.KeyRecord
	var createdMillis int64
	err := row.Scan(append([]any{&k.ID, &k.Account, &k.UserName, &k.SealedSecret, &k.Active,
		&createdMillis}, more...)...)
	k.CreatedAt = at(createdMillis)
	return k, err
}

// OwnedKey is an access key and its user.
type OwnedKey struct {
	Key   iam.KeyRecord
	Owner iam.User
}

// ScanOwnedKey reads a row as [ScanKey] does, and then [IdentityColumns].
func ScanOwnedKey(row Row) (owned OwnedKey, err error) {
	var createdMillis int64
	u := &owned.Owner
	owned.Key, err = ScanKey(row, &u.Account, &u.Name, &u.ID, &createdMillis)
	u.CreatedAt = at(createdMillis)
	return owned, err
}

// ScanPolicy reads a row of a policy's name and document.
func ScanPolicy(row Row) (p iam.PolicyDocument, err error) {
	err = row.Scan(&p.Name, &p.Document)
	return p, err
}

// RoleColumns are the columns that [ScanRole] reads.
const RoleColumns = "account, name, id, trust_policy, policies, max_session_s, created_ms"

// ScanRole reads a row of [RoleColumns].
func ScanRole(row Row) (iam.Role, error) {
	var r iam.Role
	var policies string
	var maxSeconds, createdMillis int64
	err := row.Scan(&r.Account, &r.Name, &r.ID, &r.TrustPolicy, &policies, &maxSeconds,
		&createdMillis)
	if err != nil {
		return iam.Role{}, err
	}
	r.MaxSession = time.Duration(maxSeconds) * time.Second
	r.CreatedAt = at(createdMillis)
	if err := json.Unmarshal([]byte(policies), &r.Policies); err != nil {
		return iam.Role{}, fmt.Errorf("decode the policies of role %s: %w", r.Name, err)
	}
	return r, nil
}

// EncodePolicies returns the text in which the policies of a role are kept: a JSON array.
func EncodePolicies(policies []iam.PolicyDocument) (string, error) {
	text, err := json.Marshal(policies)
	if err != nil {
		return "", fmt.Errorf("encode policies: %w", err)
	}
	return string(text), nil
}

// MasterKeyCheck is the name of the setting that has the check value of the master key.
const MasterKeyCheck = "master-key-check"

// SealedSecret is the secret of an access key, sealed with the master key.
type SealedSecret struct {
	KeyID  string
	Sealed []byte
}

// ScanSealed reads a row of a key's id and its sealed secret.
func ScanSealed(row Row) (s SealedSecret, err error) {
	err = row.Scan(&s.KeyID, &s.Sealed)
	return s, err
}

// SealedByKey returns sealed secrets by the ids of their keys.
func SealedByKey(secrets []SealedSecret) map[string][]byte {
	byKey := make(map[string][]byte, len(secrets))
	for _, s := range secrets {
		byKey[s.KeyID] = s.Sealed
	}
	return byKey
}

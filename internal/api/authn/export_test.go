package authn

// Size is how many networks, keys and keys in networks are kept.
func (g *Guard) Size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.networks.Len() + g.keys.Len() + len(g.proven)
}

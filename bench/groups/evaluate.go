package main

import "math"

// evaluation is how groups agree with people.
type evaluation struct {
	precision float64 // share of the pairs in one group that are of one person
	recall    float64 // share of the pairs of one person that are in one group
	v         float64 // V-measure (Rosenberg and Hirschberg, 2007); ungrouped faces are alone
	pure      float64 // share of the groups that have faces of one person alone
}

func (e evaluation) f() float64 { return 2 * e.precision * e.recall / (e.precision + e.recall) }

func evaluate(shots []shot, groups [][]int32) evaluation {
	number := make([]int, len(shots)) // of each face's group; those of no group have their own
	for i := range number {
		number[i] = len(groups) + i
	}
	pure := 0
	for g, members := range groups {
		people := map[string]bool{}
		for _, i := range members {
			number[i] = g
			people[shots[i].Person] = true
		}
		if len(people) == 1 {
			pure++
		}
	}
	type cell struct {
		person string
		group  int
	}
	cells, persons, sizes := map[cell]int{}, map[string]int{}, map[int]int{}
	for i, s := range shots {
		cells[cell{s.Person, number[i]}]++
		persons[s.Person]++
		sizes[number[i]]++
	}
	n := float64(len(shots))
	of := func(k int) float64 { return float64(k) * float64(k-1) / 2 }
	var both, grouped, genuine float64
	var personsH, groupsH, given, givenGroups float64 // entropies
	for c, k := range cells {
		both += of(k)
		p := float64(k) / n
		given -= p * math.Log(float64(k)/float64(sizes[c.group]))
		givenGroups -= p * math.Log(float64(k)/float64(persons[c.person]))
	}
	for _, k := range sizes {
		grouped += of(k)
		groupsH -= float64(k) / n * math.Log(float64(k)/n)
	}
	for _, k := range persons {
		genuine += of(k)
		personsH -= float64(k) / n * math.Log(float64(k)/n)
	}
	homogeneity, completeness := 1-given/personsH, 1-givenGroups/groupsH
	return evaluation{precision: both / grouped, recall: both / genuine,
		v:    2 * homogeneity * completeness / (homogeneity + completeness),
		pure: float64(pure) / float64(len(groups))}
}

package config

import "strings"

// nearest returns the known word that was probably meant, or "". Case, dashes and underscores do
// not count; otherwise about one slip in three letters is allowed.
func nearest(word string, known []string) string {
	w := plain(word)
	best, least := "", max(len([]rune(w))/3, 1)+1
	if len([]rune(w)) < 2 {
		least = 1 // only what differs by case
	}
	for _, k := range known {
		if d := distance(w, plain(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

func plain(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// distance counts the letters to insert, delete, replace or swap with their neighbour (optimal
// string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64
	}
	var before []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next := make([]int, len(y)+1)
		next[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}

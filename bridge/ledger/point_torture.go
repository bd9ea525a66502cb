//go:build torture

package ledger

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"limsbridge/bridge"
)

// KillAt is the environment variable that names the point at which the process kills itself and
// how often it passes there before: "write intent:17" dies at the 17th. Behind the name of a point
// that has events stands the kind of the last of them.
const KillAt = "LIMSBRIDGE_KILL_AT"

var (
	killAt, killAfter = parseKillAt(os.Getenv(KillAt))
	passed            atomic.Int64
)

func parseKillAt(text string) (string, int64) {
	name, count, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if text != "" && err != nil {
		panic(KillAt + " is not NAME:COUNT")
	}
	return name, n
}

// point kills the process the hard way, without any chance to tidy up, where it is asked to.
func point(name string, events []bridge.Event) {
	if killAt == "" {
		return
	}
	if len(events) > 0 {
		name += " " + string(events[len(events)-1].Kind)
	}
	if name != killAt || passed.Add(1) != killAfter {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // it takes the system a moment
}

package installer

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
)

// Notifier tells systemd how the service stands (sd_notify(3)). Elsewhere it does nothing.
type Notifier struct {
	mu   sync.Mutex
	conn net.Conn
	last string
}

// NewNotifier looks for systemd's socket. What it starts later does not find it any more.
func NewNotifier() *Notifier {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return &Notifier{}
	}
	_ = os.Unsetenv("NOTIFY_SOCKET")
	if strings.HasPrefix(path, "@") {
		path = "\x00" + path[1:] // an abstract socket (unix(7))
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "unixgram", path)
	if err != nil {
		return &Notifier{} // nobody to tell
	}
	return &Notifier{conn: conn}
}

// Ready says that the service runs, and how it stands.
func (n *Notifier) Ready(status string) { n.tell("READY=1\nSTATUS=" + oneLine(status)) }

// Stopping says that it is about to end.
func (n *Notifier) Stopping() { n.tell("STOPPING=1\nSTATUS=finishing what is under way") }

func (n *Notifier) tell(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn == nil || text == n.last {
		return
	}
	n.last = text
	_, _ = n.conn.Write([]byte(text)) // a manager that does not listen need not know
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

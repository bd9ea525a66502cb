package logs

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
)

// Plain returns a handler that hands each record of that level or worse to write as one line of
// text, without time and level: the system's log has its own.
func Plain(level slog.Level, write func(level slog.Level, text string)) slog.Handler {
	p := &plain{mu: new(sync.Mutex), buf: new(bytes.Buffer), write: write}
	p.text = slog.NewTextHandler(p.buf, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
	return p
}

type plain struct {
	mu    *sync.Mutex
	buf   *bytes.Buffer
	text  slog.Handler
	write func(slog.Level, string)
}

// Enabled says whether records of this level are written.
func (p *plain) Enabled(ctx context.Context, level slog.Level) bool {
	return p.text.Enabled(ctx, level)
}

// Handle writes a record.
func (p *plain) Handle(ctx context.Context, r slog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf.Reset()
	if err := p.text.Handle(ctx, r); err != nil {
		return err
	}
	p.write(r.Level, strings.TrimRight(p.buf.String(), "\n"))
	return nil
}

// WithAttrs returns a handler that adds these.
func (p *plain) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &plain{p.mu, p.buf, p.text.WithAttrs(attrs), p.write}
}

// WithGroup returns a handler in whose group what follows stands.
func (p *plain) WithGroup(name string) slog.Handler {
	return &plain{p.mu, p.buf, p.text.WithGroup(name), p.write}
}

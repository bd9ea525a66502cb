package installer

import (
	"context"
	"time"

	"golang.org/x/sys/windows/svc"
)

// Run runs the service until it ends. The manager is told at once that it is running; only then
// serve begins, and may take its time. ctx ends when the service is to stop; a parameter change
// (sc control NAME paramchange) asks for a reload. That the caller's ctx ends does not end the
// service: when somebody logs off Windows sends an event to console programs, services included, which
// Go takes for a signal.
func Run(ctx context.Context, s Service, serve func(ctx context.Context, reload <-chan struct{}) error) error {
	h := &handler{ctx: context.WithoutCancel(ctx), serve: serve}
	if err := svc.Run(s.Name(), h); err != nil {
		return err
	}
	return h.err
}

type handler struct {
	ctx   context.Context
	serve func(context.Context, <-chan struct{}) error
	err   error
}

// failedCode is what the manager hears where the service ended although nobody stopped it, with an
// error or without: it is then started again, as after a crash.
const failedCode = 1

// Execute follows one order at a stop: say that it is stopping, then end what runs, then wait for
// it, telling the manager each second that it goes on.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, changes chan<- svc.Status) (specific bool, code uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown | svc.AcceptParamChange
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	reload, done := make(chan struct{}, 1), make(chan error, 1)
	changes <- svc.Status{State: svc.Running, Accepts: accepts}
	go func() { done <- h.serve(ctx, reload) }()
	for {
		select {
		case h.err = <-done:
			return true, failedCode
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				changes <- r.CurrentStatus
			case svc.ParamChange:
				select {
				case reload <- struct{}{}:
				default: // one is asked for already
				}
				changes <- svc.Status{State: svc.Running, Accepts: accepts}
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				pending := svc.Status{State: svc.StopPending, WaitHint: uint32(StopLimit.Milliseconds())}
				changes <- pending
				stop()
				return false, h.ended(done, requests, changes, pending)
			}
		}
	}
}

// ended waits until the service has ended, or its time is over.
func (h *handler) ended(done <-chan error, requests <-chan svc.ChangeRequest, changes chan<- svc.Status, pending svc.Status) uint32 {
	limit, tick := time.NewTimer(StopLimit), time.NewTicker(time.Second)
	defer limit.Stop()
	defer tick.Stop()
	for {
		select {
		case h.err = <-done:
			return 0
		case <-limit.C:
			return 0 // what is not finished is in doubt, and told of at the next start
		case <-requests:
			changes <- pending
		case <-tick.C:
			pending.CheckPoint++
			changes <- pending
		}
	}
}

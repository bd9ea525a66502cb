package bridge

// OrderWord is what a status of the orders source means to the bridge.
type OrderWord string

// The bridge words of orders (configuration.md of the design, "Bridge words").
const (
	Accepted           OrderWord = "accepted"
	Collected          OrderWord = "collected"
	Complete           OrderWord = "complete"
	NoShow             OrderWord = "no_show"
	RejectedOrder      OrderWord = "rejected"
	OrderNotMeasurable OrderWord = "not_measurable"
	IgnoredOrder       OrderWord = "ignore"
)

// OrderWords lists the bridge words of orders, for configuration and messages.
var OrderWords = []OrderWord{Accepted, Collected, Complete, NoShow, RejectedOrder, OrderNotMeasurable, IgnoredOrder}

// ResultWord is what a status of the results source means to the bridge. Released is the only
// one that lets a value leave.
type ResultWord string

// The bridge words of results.
const (
	Pending             ResultWord = "pending"
	Released            ResultWord = "released"
	ResultNotMeasurable ResultWord = "not_measurable"
	Withdrawn           ResultWord = "withdrawn"
	IgnoredResult       ResultWord = "ignore"
)

// ResultWords lists the bridge words of results, for configuration and messages.
var ResultWords = []ResultWord{Pending, Released, ResultNotMeasurable, Withdrawn, IgnoredResult}

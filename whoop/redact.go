package whoop

import (
	"bytes"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxText is the length of Answer.Text in characters.
const maxText = 200

// vocabulary holds the words of an error answer that may be told: the API's own field names and
// status words, and the common words of error messages. Words that could be a result
// (positive, detected, trace, high, low, less, none, many, small, and the blood group A), a code,
// a unit or a name are not in it.
var vocabulary = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`
		id ids code codes status value value_numeric value_text unit units observation observations report reports result results
		diagnostic diagnosticreport diagnostic_report service request requests service_request service_requests servicerequest
		requisition requisitions lab lab_requisition labrequisition task task_business_status business business_status reason
		appointment appointments patient birth_date order orders partner client scope token grant_type client_id client_secret
		access_token credentials authorization bearer oauth
		order_confirmed appointment_attended partial_results_ready full_results_ready appointment_issue results_issue order_issue
		registered preliminary partial final amended corrected cancelled revoked active completed draft intent
		error errors message messages detail details title type path field fields property properties parameter body json object
		array string number integer boolean null uuid date format schema enum element elements item items key keys name names
		content header headers length size limit rate window quota retry after seconds minute day per
		invalid missing required unknown not found is are was were be been has have must should can cannot could may
		already exists duplicate conflict allowed forbidden denied refused rejected unauthorized unauthenticated expired
		unsupported unexpected unprocessable entity malformed bad wrong empty too long short
		valid validation failed failure failing parse parsing expected expecting got given of for in on at to from with without
		by and or the an this that it its only before since until
		transition state update updated create created change changed set sent received processed
		server internal service_unavailable unavailable gateway timeout timed out temporarily try again later upstream
		connection closed http https method media post patch get endpoint resource route production development environment
		invalid_request invalid_client invalid_grant invalid_scope unsupported_grant_type error_description
		not_found bad_request access_denied too_many_requests rate_limit exceeded`) {
		words[w] = true
	}
	return words
}()

const leftOut = "…"

// redact returns what may be told of the body of an error answer: known words, and one mark for
// each run of everything else; at most maxText characters.
func redact(h http.Header, body []byte) string {
	if isHTML(h, body) {
		return "an HTML page"
	}
	var b strings.Builder
	n, gap := 0, false
	for len(body) > 0 && n < maxText {
		size := wordLength(body)
		if size == 0 {
			_, size = utf8.DecodeRune(body)
			if !punctuation(body[0]) {
				mark(&b, &n, gap)
				gap = true
			}
			body = body[size:]
			continue
		}
		word := string(body[:size])
		body = body[size:]
		if !vocabulary[strings.ToLower(word)] {
			mark(&b, &n, gap)
			gap = true
			continue
		}
		if gap = false; n > 0 {
			word = " " + word
		}
		if n += len(word); n > maxText {
			break
		}
		b.WriteString(word)
	}
	return b.String()
}

// mark writes the mark for something left out, unless the last thing written was one.
func mark(b *strings.Builder, n *int, gap bool) {
	if gap || *n+2 > maxText {
		return
	}
	if *n > 0 {
		b.WriteByte(' ')
		*n++
	}
	b.WriteString(leftOut)
	*n++
}

// wordLength is the length of the word at the beginning of text. Digits and letters of other
// scripts belong to the word, so that no part of something unknown looks like a known word.
func wordLength(text []byte) int {
	i := 0
	for i < len(text) && (text[i] >= utf8.RuneSelf || text[i] == '_' ||
		'0' <= text[i] && text[i] <= '9' || 'a' <= text[i]|0x20 && text[i]|0x20 <= 'z') {
		i++
	}
	return i
}

// punctuation reports whether c may go without a mark.
func punctuation(c byte) bool {
	return strings.IndexByte(" \t\r\n{}[]\":,.;'()-/=", c) >= 0
}

// isHTML reports whether an answer is a page made for people, such as a gateway's.
func isHTML(h http.Header, body []byte) bool {
	kind := strings.ToLower(header(h, "Content-Type"))
	return strings.HasPrefix(kind, "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// requestID is the answer's request id as far as it may be told.
func requestID(h http.Header) string {
	for _, key := range [...]string{"X-Request-Id", "X-Amzn-Requestid", "X-Correlation-Id", "X-Amzn-Trace-Id"} {
		if id := header(h, key); id != "" {
			id = strings.Map(func(r rune) rune {
				if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.:-", r) {
					return r
				}
				return -1
			}, id)
			return id[:min(len(id), 64)]
		}
	}
	return ""
}

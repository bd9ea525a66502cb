package tdstest

import (
	"errors"
	"fmt"
)

// Param is a parameter of a statement as the client sent it.
type Param struct {
	Name     string // with its @
	Declared string // its type in the declaration, such as datetime2(7)
	Type     Type   // its type on the wire
	Value    any    // in the form that value.go describes
}

// Statement is one request of a client.
type Statement struct {
	Session int // number of the connection, from 1
	Login   Login
	Text    string
	Params  []Param
	Reset   bool // the client asked that the session be reset first
}

// Types are the declared types of the parameters, in their order.
func (s Statement) Types() []string {
	var out []string
	for _, p := range s.Params {
		out = append(out, p.Declared)
	}
	return out
}

// skipHeaders leaves out ALL_HEADERS, [MS-TDS] 2.2.5.3.
func (in *input) skipHeaders() {
	if n := int(in.u32()); n >= 4 {
		in.take(n - 4)
	}
}

// parseBatch reads an SQL batch, [MS-TDS] 2.2.6.7.
func parseBatch(body []byte) (string, error) {
	in := &input{b: body}
	in.skipHeaders()
	return fromUTF16(in.b), in.err
}

const executeSQL = 10 // the number of sp_executesql

// parseRPC reads a call of sp_executesql, [MS-TDS] 2.2.6.6: a statement, the declaration of its parameters, and these.
func parseRPC(body []byte) (text string, params []Param, err error) {
	in := &input{b: body}
	in.skipHeaders()
	if n := in.u16(); n != 0xffff {
		return "", nil, fmt.Errorf("the procedure %s is not known", fromUTF16(in.take(2*int(n))))
	}
	if id := in.u16(); id != executeSQL {
		return "", nil, fmt.Errorf("the procedure number %d is not known", id)
	}
	in.u16() // options
	for len(in.b) > 0 && in.err == nil {
		p := Param{Name: in.shortText()}
		in.u8() // status
		w := in.readWire()
		p.Type = w.named()
		p.Type.NotNull = false
		if p.Value, err = in.readValue(w); err != nil {
			return "", nil, err
		}
		params = append(params, p)
	}
	if in.err != nil || len(params) == 0 {
		return "", nil, errors.New("a call of sp_executesql is cut off")
	}
	text, _ = params[0].Value.(string)
	if params = params[1:]; len(params) > 0 {
		declared, _ := params[0].Value.(string)
		params = params[1:]
		err = declare(params, declared)
	}
	return text, params, err
}

// declare gives the parameters the types of a declaration such as "@p1 datetime,@p2 decimal(5, 2)".
func declare(params []Param, text string) error {
	var parts []string
	depth, from := 0, 0
	for i, c := range text + "," {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	for i := range params {
		if i >= len(parts) {
			return fmt.Errorf("the parameter %s is not declared", params[i].Name)
		}
		if n := len(params[i].Name); len(parts[i]) <= n || parts[i][:n] != params[i].Name {
			return fmt.Errorf("the declaration %q is not that of %s", parts[i], params[i].Name)
		}
		params[i].Declared = parts[i][len(params[i].Name)+1:]
	}
	return nil
}

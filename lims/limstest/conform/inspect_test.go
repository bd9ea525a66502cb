package conform_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// inspected is a lab with results that are indexed on their stamp and orders that are not, whose
// view is named with its schema where there are schemas.
func inspected(t *testing.T, d database) (*sqlLab, lims.Options) {
	l := d.sql(t)
	if d.kind() == lims.SQLServer {
		t.Skip("its statements are tested beside their code")
	}
	d.results(t, "id", "stamp")
	d.create(t, "orders", column{"row_id", "id"}, column{"changed_at", "stamp"}, column{"requisition_id", "uuid"}, column{"order_code", "text"}, column{"status", "short"})
	l.exec(t, "DROP INDEX base_orders_changed"+map[string]string{lims.MySQL: " ON base_orders"}[d.kind()])
	var rows, orders [][]any
	for i := range 3000 {
		rows = append(rows, result(i, stampAgo(time.Duration(3000-i)*time.Hour)))
		orders = append(orders, []any{i, stampAgo(time.Duration(3000-i) * time.Hour), "CBC", "A"})
	}
	d.insert(t, "results", resultKeys, append(rows, result(9000, nil), result(9001, nil))...)
	d.insert(t, "orders", []string{"row_id", "changed_at", "order_code", "status"}, orders...)
	for _, table := range []string{"base_results", "base_orders"} {
		l.exec(t, "ANALYZE "+map[string]string{lims.MySQL: "TABLE "}[d.kind()]+table)
	}
	o := d.options()
	o.Orders, o.Results = lims.Query{View: "orders"}, lims.Query{View: "results"}
	if d.kind() == lims.Postgres {
		o.Orders, o.Results = lims.Query{View: "public.orders"}, lims.Query{View: `PUBLIC."results"`}
	}
	return l, o
}

func reader(t *testing.T, o lims.Options) *lims.Reader {
	t.Helper()
	r, err := lims.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// leftOut reports whether the database tells nothing, which is no failure.
func leftOut(err error) bool {
	var left *lims.LeftOut
	return errors.As(err, &left)
}

// How a read would run is told without running it: through which index, or that all of a table is
// gone through, and the statement that would end that.
func TestPlanAndCost(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		l, o := inspected(t, d)
		r := reader(t, o)
		lately := time.Now().Add(-15 * time.Minute)
		steps, err := r.Plan(t.Context(), lims.Results, lately)
		if err != nil || len(steps) != 1 || steps[0].Whole || steps[0].Index != "base_results_changed" || steps[0].MakeIndex != "" {
			t.Errorf("results: %+v %v", steps, err)
		}
		steps, err = r.Plan(t.Context(), lims.Orders, lately)
		if err != nil || len(steps) != 1 || !steps[0].Whole || !strings.Contains(steps[0].Table, "base_orders") {
			t.Fatalf("orders: %+v %v", steps, err)
		}
		if make := steps[0].MakeIndex; make != "" {
			if !strings.Contains(make, "(changed_at)") {
				t.Errorf("the index is of another column: %s", make)
			}
			l.exec(t, make)
			l.exec(t, "ANALYZE "+map[string]string{lims.MySQL: "TABLE "}[d.kind()]+"base_orders")
			if steps, err = r.Plan(t.Context(), lims.Orders, lately); err != nil || len(steps) != 1 || steps[0].Whole {
				t.Errorf("orders, after %s: %+v %v", make, steps, err)
			}
		} else if d.kind() != lims.SQLite {
			t.Errorf("no index is named: %+v", steps)
		}
		if n, err := r.CountUnstamped(t.Context(), lims.Results); n != "2" || err != nil {
			t.Errorf("%s rows without a stamp, %v", n, err)
		}
		took, n, err := r.Measure(t.Context(), lims.Results, time.Now().Add(-10*time.Hour))
		if err != nil || took <= 0 || n < 9 || n > 11 {
			t.Errorf("%d rows in %s, %v", n, took, err)
		}
		if tls, err := r.Encryption(t.Context()); tls != "" || err != nil && !leftOut(err) {
			t.Errorf("a plain connection is encrypted by %q, %v", tls, err)
		}
	})
}

// How a connection is encrypted is the server's own word, where it offers TLS.
func TestEncryptionIsTold(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		if d.kind() == lims.SQLServer {
			t.Skip("its statements are tested beside their code")
		}
		r := d.reader(t, func(o *lims.Options) { o.Encrypt = lims.EncryptUnverified })
		tls, err := r.Encryption(t.Context())
		var misfit *lims.Misfit
		var unavailable *lims.Unavailable
		if leftOut(err) || errors.As(err, &misfit) && strings.Contains(err.Error(), "offers no TLS") || errors.As(err, &unavailable) && strings.Contains(err.Error(), "TCPS") {
			t.Skip(err)
		}
		want := "TLSv1."
		if d.kind() == lims.Oracle { // does not tell the version to everybody
			want = "TLS"
		}
		if err != nil || !strings.HasPrefix(tls, want) {
			t.Errorf("%q %v", tls, err)
		}
	})
}

// A reader without rights gets the statements that give it exactly those that it needs; what it could write
// besides is named, and nothing of it is tried.
func TestRights(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		l, o := inspected(t, d)
		all := reader(t, o)
		if d.kind() == lims.SQLite {
			for _, err := range []error{second(all.Account(t.Context())), second(all.Writable(t.Context())), second(all.Missing(t.Context(), lims.Orders)), second(all.Encryption(t.Context()))} {
				if !leftOut(err) {
					t.Errorf("SQLite has no accounts: %v", err)
				}
			}
			return
		}
		if could, err := all.Writable(t.Context()); len(could) == 0 || err != nil {
			t.Errorf("the tests' own account could write nothing: %v", err)
		}
		user := "lb_" + strings.ToLower(rand.Text()[:10])
		account := user
		switch d.kind() {
		case lims.Postgres:
			l.exec(t, "CREATE ROLE "+user+" LOGIN PASSWORD 'only-a-test'; REVOKE ALL ON SCHEMA public FROM PUBLIC")
			t.Cleanup(func() { l.exec(t, "DROP OWNED BY "+user+"; DROP ROLE "+user) })
		case lims.MySQL:
			account = "'" + user + "'@'%'"
			l.exec(t, "CREATE USER "+account+" IDENTIFIED BY 'only-a-test'")
			t.Cleanup(func() { l.exec(t, "DROP USER "+account) })
			l.exec(t, "GRANT CREATE TEMPORARY TABLES ON "+o.Database+".* TO "+account) // so that it may use the database at all
		}
		o.User, o.Password = user, func() (string, error) { return "only-a-test", nil }
		r := reader(t, o)
		if who, err := r.Account(t.Context()); who != account || err != nil {
			t.Errorf("it is %q, %v, want %q", who, err, account)
		}
		for _, s := range []lims.Source{lims.Orders, lims.Results} {
			_, err := r.Describe(t.Context(), s)
			var misfit *lims.Misfit
			if !errors.As(err, &misfit) || !misfit.Right {
				t.Fatalf("%s without rights: %v", s, err)
			}
			missing, err := r.Missing(t.Context(), s)
			if err != nil || len(missing) == 0 {
				t.Fatalf("%s: no statement gives the right, %v", s, err)
			}
			for _, text := range missing {
				l.exec(t, text)
			}
			if _, err := r.Describe(t.Context(), s); err != nil {
				t.Errorf("%s, after %q: %v", s, missing, err)
			}
		}
		if missing, err := r.Missing(t.Context(), lims.Orders); d.kind() == lims.Postgres && (len(missing) > 0 || err != nil) {
			t.Errorf("nothing is missing any more but %q, %v", missing, err)
		}
		if _, err := r.Plan(t.Context(), lims.Orders, time.Now()); err != nil && !leftOut(err) {
			t.Errorf("the plan, without a right of its own: %v", err)
		}
		could, err := r.Writable(t.Context())
		could = slices.DeleteFunc(could, func(s string) bool { return strings.HasSuffix(s, "(CREATE)") }) // temporary tables, above
		if len(could) > 0 || err != nil {
			t.Errorf("a reader could write %q, %v", could, err)
		}
		for _, right := range []string{"UPDATE (status)", "INSERT (status)", "UPDATE"} { // also on a single column
			l.exec(t, "GRANT "+right+" ON base_results TO "+account)
			could, err := r.Writable(t.Context())
			if all := strings.Join(could, " "); !strings.Contains(all, "base_results") || strings.Contains(all, "IDENTIFIED") || err != nil {
				t.Errorf("with %s it could write base_results, and that is told as %q, %v", right, could, err)
			}
			l.exec(t, "REVOKE "+right+" ON base_results FROM "+account)
		}
	})
}

func second[T any](_ T, err error) error { return err }

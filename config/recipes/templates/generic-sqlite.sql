-- limsbridge on any LIMS that keeps its data in SQLite: adapt it and run it with
--   sqlite3 lims.db < create-views.sql
-- The tables lims_test, lims_sample and lims_result and their columns are examples: everything
-- marked CHECK is the LIMS's own. SQLite knows no logins: limsbridge opens the file for reading
-- only. To undo all of it:
--   DROP VIEW whoop_orders; DROP VIEW whoop_results;

BEGIN;

DROP VIEW IF EXISTS whoop_orders;
DROP VIEW IF EXISTS whoop_results;

-- One row for each LIMS test that WHOOP ordered.
CREATE VIEW whoop_orders AS
SELECT
    t.test_id          AS row_id,           -- CHECK: the key of the row, never used again
    -- The newest of all stamps that a change may touch; a release often touches the
    -- parent only. One NULL would make the whole NULL, hence the COALESCE.
    max(coalesce(t.changed_at, s.changed_at), coalesce(s.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK: WHOOP's requisition (a UUID)
    t.test_code        AS order_code,       -- CHECK: the LIMS's own code of the test
    t.status           AS status,           -- CHECK: the words of status.orders in limsbridge.yaml
    s.birth_date       AS birth_date        -- CHECK: YYYY-MM-DD, compared in memory, never kept; or remove it
FROM lims_test AS t
JOIN lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK: what makes an order WHOOP's

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE VIEW whoop_results AS
SELECT
    r.result_id        AS row_id,           -- CHECK
    max(coalesce(r.changed_at, t.changed_at, s.changed_at), coalesce(t.changed_at, r.changed_at, s.changed_at),
        coalesce(s.changed_at, r.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK
    t.test_code        AS order_code,       -- CHECK
    r.result_code      AS result_code,      -- CHECK: the LIMS's own code of the observation
    r.result_text      AS value,            -- CHECK: text as reported
    r.unit             AS unit,             -- CHECK
    r.status           AS status            -- CHECK: the words of status.results; only verified ones are released
FROM lims_result AS r
JOIN lims_test AS t   ON t.test_id = r.test_id
JOIN lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK

COMMIT;

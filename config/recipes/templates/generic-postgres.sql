-- limsbridge on any LIMS (PostgreSQL): what the DBA is asked to adapt and run with psql, as a
-- superuser, or as a role with CREATEROLE that may make a schema in the database and read the LIMS's
-- tables. The tables lims_test, lims_sample and lims_result and their columns are examples: everything
-- marked CHECK is the LIMS's own.
--
-- It makes a schema of its own with two views, and a login that may read these two views and
-- nothing else. Nothing of the LIMS is changed. It may be run again. To undo all of it:
--   DROP SCHEMA whoop CASCADE; DROP ROLE limsbridge_ro;

BEGIN;

CREATE SCHEMA IF NOT EXISTS whoop;

-- Made anew, since CREATE OR REPLACE cannot take a column away. The grants below come after.
DROP VIEW IF EXISTS whoop.orders;
DROP VIEW IF EXISTS whoop.results;

-- One row for each LIMS test that WHOOP ordered.
CREATE VIEW whoop.orders AS
SELECT
    t.test_id          AS row_id,           -- CHECK: the key of the row, never used again
    -- The newest of all stamps that a change may touch; a release often touches the parent only.
    -- All must be of one type: the bridge's session is in UTC, and there a timestamp beside a
    -- timestamptz would count as UTC. Write (stamp AT TIME ZONE 'America/Chicago') for the former.
    GREATEST(t.changed_at, s.changed_at) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK: WHOOP's requisition (a UUID)
    t.test_code        AS order_code,       -- CHECK: the LIMS's own code of the test
    t.status           AS status,           -- CHECK: the words of status.orders in limsbridge.yaml
    s.birth_date::date AS birth_date        -- CHECK: compared in memory, never kept; or remove it
FROM lims_test AS t
JOIN lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK: what makes an order WHOOP's

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE VIEW whoop.results AS
SELECT
    r.result_id        AS row_id,           -- CHECK
    GREATEST(r.changed_at, t.changed_at, s.changed_at) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK
    t.test_code        AS order_code,       -- CHECK
    r.result_code      AS result_code,      -- CHECK: the LIMS's own code of the observation
    r.result_text      AS value,            -- CHECK: text or numeric as reported; real and double lose digits
    r.unit             AS unit,             -- CHECK
    r.status           AS status            -- CHECK: the words of status.results; only verified ones are released
FROM lims_result AS r
JOIN lims_test AS t   ON t.test_id = r.test_id
JOIN lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK

-- The login. It may read the two views; they read the LIMS with the rights of their owner.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'limsbridge_ro') THEN
        CREATE ROLE limsbridge_ro LOGIN CONNECTION LIMIT 4;
    END IF;
END
$$;
ALTER ROLE limsbridge_ro SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA whoop TO limsbridge_ro;
GRANT SELECT ON whoop.orders, whoop.results TO limsbridge_ro;

COMMIT;

-- Then give it a password, which psql asks for and does not show:
--   \password limsbridge_ro

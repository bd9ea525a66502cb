-- limsbridge on any LIMS (MySQL or MariaDB): what the DBA is asked to adapt and run. The database
-- lims, its tables lims_test, lims_sample and lims_result and their columns are examples:
-- everything marked CHECK is the LIMS's own.
--
-- It makes a database of its own with two views, and a login that may read these two views and
-- nothing else. Nothing of the LIMS is changed. It may be run again. To undo all of it:
--   DROP DATABASE whoop; DROP USER limsbridge_ro;

CREATE DATABASE IF NOT EXISTS whoop;

-- One row for each LIMS test that WHOOP ordered. SQL SECURITY DEFINER: the view reads the LIMS
-- with the rights of whoever runs this file, so that the login needs none of its own.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW whoop.orders AS
SELECT
    t.test_id          AS row_id,           -- CHECK: the key of the row, never used again
    -- The newest of all stamps that a change may touch; a release often touches the
    -- parent only. One NULL would make the whole NULL, hence the COALESCE. All must be of one
    -- type: the bridge's session is in UTC, and there a TIMESTAMP beside a DATETIME would be its
    -- reading in UTC. Write CONVERT_TZ(stamp, @@session.time_zone, 'America/Chicago') for the former.
    GREATEST(COALESCE(t.changed_at, s.changed_at), COALESCE(s.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK: WHOOP's requisition (a UUID)
    t.test_code        AS order_code,       -- CHECK: the LIMS's own code of the test
    t.status           AS status,           -- CHECK: the words of status.orders in limsbridge.yaml
    CAST(s.birth_date AS DATE) AS birth_date -- CHECK: compared in memory, never kept; or remove it
FROM lims.lims_test AS t
JOIN lims.lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK: what makes an order WHOOP's

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW whoop.results AS
SELECT
    r.result_id        AS row_id,           -- CHECK
    GREATEST(COALESCE(r.changed_at, t.changed_at, s.changed_at), COALESCE(t.changed_at, r.changed_at, s.changed_at),
        COALESCE(s.changed_at, r.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK
    t.test_code        AS order_code,       -- CHECK
    r.result_code      AS result_code,      -- CHECK: the LIMS's own code of the observation
    r.result_text      AS value,            -- CHECK: text or DECIMAL as reported; FLOAT and DOUBLE lose digits
    r.unit             AS unit,             -- CHECK
    r.status           AS status            -- CHECK: the words of status.results; only verified ones are released
FROM lims.lims_result AS r
JOIN lims.lims_test AS t   ON t.test_id = r.test_id
JOIN lims.lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK

-- The login, locked until it has a password.
CREATE USER IF NOT EXISTS limsbridge_ro ACCOUNT LOCK;
GRANT SELECT ON whoop.* TO limsbridge_ro;

-- Then give it one, at the prompt, so that it stands in no file:
--   ALTER USER limsbridge_ro IDENTIFIED BY '...' ACCOUNT UNLOCK;

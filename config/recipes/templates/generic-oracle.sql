-- limsbridge on any LIMS (Oracle Database 12.1.0.2 and later): what the DBA is asked to adapt and run,
-- in SQL*Plus or SQLcl, as SYSTEM, in the LIMS's own (pluggable) database. The schema lims with its
-- tables lims_test, lims_sample and lims_result and their columns are examples: everything marked
-- CHECK is the LIMS's own.
--
-- It makes a locked account whose schema holds two views, and a login that may read these two views and
-- nothing else. Nothing of the LIMS is changed. It may be run again. To undo all of it:
--   DROP USER whoop CASCADE; DROP USER limsbridge_ro; DROP PROFILE limsbridge;

WHENEVER SQLERROR EXIT FAILURE
SET VERIFY OFF
ACCEPT secret CHAR PROMPT 'Password for limsbridge_ro (not shown, not kept here): ' HIDE

-- The login's limits: its password does not expire overnight, and the server itself ends a statement
-- that takes a minute of processor time (in hundredths of a second).
DECLARE
    PROCEDURE once(statement VARCHAR2) IS
    BEGIN
        EXECUTE IMMEDIATE statement;
    EXCEPTION WHEN OTHERS THEN
        IF SQLCODE NOT IN (-1920, -2379) THEN RAISE; END IF;   -- it exists already
    END;
BEGIN
    once('CREATE PROFILE limsbridge LIMIT PASSWORD_LIFE_TIME UNLIMITED SESSIONS_PER_USER 4 CPU_PER_CALL 6000');
    once('CREATE USER whoop IDENTIFIED EXTERNALLY ACCOUNT LOCK');   -- nobody logs in as it
    once('CREATE USER limsbridge_ro IDENTIFIED BY "&secret" PROFILE limsbridge');
END;
/

-- From here on SQL*Plus wants nothing behind a semicolon on its line, and no blank line within a
-- statement: remarks stand on lines of their own.

-- The views' owner may read what the views read, and pass that on through them alone.
-- CHECK: the LIMS's schema and tables.
GRANT READ ON lims.lims_test   TO whoop WITH GRANT OPTION;
GRANT READ ON lims.lims_sample TO whoop WITH GRANT OPTION;
GRANT READ ON lims.lims_result TO whoop WITH GRANT OPTION;

-- One row for each LIMS test that WHOOP ordered.
CREATE OR REPLACE VIEW whoop.orders AS
SELECT
    t.test_id          AS row_id,           -- CHECK: the key of the row, never used again
    -- The newest of all stamps that a change may touch, since a release often touches the parent only.
    -- GREATEST alone is NULL as soon as one of them is.
    GREATEST(COALESCE(t.changed_at, s.changed_at), COALESCE(s.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK: WHOOP's requisition (a UUID: text, or RAW(16))
    t.test_code        AS order_code,       -- CHECK: the LIMS's own code of the test
    t.status           AS status,           -- CHECK: the words of status.orders in limsbridge.yaml
    s.birth_date       AS birth_date        -- CHECK: compared in memory, never kept, or remove it
FROM lims.lims_test t
JOIN lims.lims_sample s ON s.sample_id = t.sample_id
-- CHECK: what makes an order WHOOP's
WHERE s.customer = 'WHOOP';

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE OR REPLACE VIEW whoop.results AS
SELECT
    r.result_id        AS row_id,           -- CHECK
    GREATEST(COALESCE(r.changed_at, t.changed_at, s.changed_at), COALESCE(t.changed_at, r.changed_at, s.changed_at),
             COALESCE(s.changed_at, r.changed_at, t.changed_at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK
    t.test_code        AS order_code,       -- CHECK
    r.result_code      AS result_code,      -- CHECK: the LIMS's own code of the observation
    -- CHECK: the text as reported. A NUMBER has no trailing zeros (5.40 is 5.4): where the digits
    -- count, TO_CHAR(r.result_number, 'FM99990.00'). BINARY_DOUBLE and BINARY_FLOAT lose digits.
    r.result_text      AS value,
    r.unit             AS unit,             -- CHECK
    r.status           AS status            -- CHECK: the words of status.results, of which only verified ones are released
FROM lims.lims_result r
JOIN lims.lims_test t   ON t.test_id = r.test_id
JOIN lims.lims_sample s ON s.sample_id = t.sample_id
-- CHECK, as above
WHERE s.customer = 'WHOOP';

-- The login. READ is SELECT without the right to lock rows (SELECT ... FOR UPDATE).
GRANT CREATE SESSION TO limsbridge_ro;
GRANT READ ON whoop.orders  TO limsbridge_ro;
GRANT READ ON whoop.results TO limsbridge_ro;

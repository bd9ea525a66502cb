-- limsbridge on any LIMS (Microsoft SQL Server): what the DBA is asked to adapt and run, in SSMS
-- or with sqlcmd, as a member of db_owner. The tables lims_test, lims_sample and lims_result and
-- their columns are examples: everything marked CHECK is the LIMS's own.
--
-- It makes a schema of its own with two views, and a user that may read these two views and
-- nothing else. Nothing of the LIMS is changed. It may be run again. To undo all of it:
--   DROP VIEW whoop.orders; DROP VIEW whoop.results; DROP SCHEMA whoop; DROP USER limsbridge_ro;

USE [LIMS];                                          -- CHECK: the name of the database
GO

IF SCHEMA_ID('whoop') IS NULL EXEC('CREATE SCHEMA whoop AUTHORIZATION dbo');
GO
IF OBJECT_ID('whoop.orders', 'V') IS NOT NULL DROP VIEW whoop.orders;
IF OBJECT_ID('whoop.results', 'V') IS NOT NULL DROP VIEW whoop.results;
GO

-- One row for each LIMS test that WHOOP ordered.
CREATE VIEW whoop.orders AS
SELECT
    t.test_id          AS row_id,           -- CHECK: the key of the row, never used again
    -- The newest of all stamps that a change may touch; a release often touches the parent only.
    (SELECT MAX(c.at) FROM (VALUES (t.changed_at), (s.changed_at)) AS c(at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK: WHOOP's requisition (a UUID)
    t.test_code        AS order_code,       -- CHECK: the LIMS's own code of the test
    t.status           AS status,           -- CHECK: the words of status.orders in limsbridge.yaml
    CAST(s.birth_date AS date) AS birth_date -- CHECK: compared in memory, never kept; or remove it
FROM dbo.lims_test AS t
JOIN dbo.lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK: what makes an order WHOOP's
GO

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE VIEW whoop.results AS
SELECT
    r.result_id        AS row_id,           -- CHECK
    (SELECT MAX(c.at) FROM (VALUES (r.changed_at), (t.changed_at), (s.changed_at)) AS c(at)) AS changed_at,   -- CHECK
    s.requisition_id   AS requisition_id,   -- CHECK
    t.test_code        AS order_code,       -- CHECK
    r.result_code      AS result_code,      -- CHECK: the LIMS's own code of the observation
    r.result_text      AS value,            -- CHECK: text or DECIMAL as reported; FLOAT and REAL lose digits
    r.unit             AS unit,             -- CHECK
    r.status           AS status            -- CHECK: the words of status.results; only verified ones are released
FROM dbo.lims_result AS r
JOIN dbo.lims_test AS t   ON t.test_id = r.test_id
JOIN dbo.lims_sample AS s ON s.sample_id = t.sample_id
WHERE s.customer = 'WHOOP';                 -- CHECK
GO

[[template "login" .]]

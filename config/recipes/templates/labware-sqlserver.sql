-- limsbridge on LabWare LIMS (Microsoft SQL Server): what the DBA is asked to run, in SSMS or
-- with sqlcmd, as a member of db_owner.
--
-- It makes a schema of its own with two views, and a user that may read these two views and
-- nothing else. Nothing of LabWare is changed. It may be run again. To undo all of it:
--   DROP VIEW whoop.orders; DROP VIEW whoop.results; DROP SCHEMA whoop; DROP USER limsbridge_ro;
--
-- Places marked CHECK differ between installations.

USE [LABWARE_PROD];                                  -- CHECK: the name of the database
GO

IF SCHEMA_ID('whoop') IS NULL EXEC('CREATE SCHEMA whoop AUTHORIZATION dbo');
GO
IF OBJECT_ID('whoop.orders', 'V') IS NOT NULL DROP VIEW whoop.orders;
IF OBJECT_ID('whoop.results', 'V') IS NOT NULL DROP VIEW whoop.results;
GO

-- One row for each test of WHOOP's samples.
CREATE VIEW whoop.orders AS
SELECT
    t.TEST_NUMBER                                    AS row_id,
    -- A change may touch only one of the two; MAX leaves out NULL.
    (SELECT MAX(c.at) FROM (VALUES (t.CHANGED_ON), (s.CHANGED_ON)) AS c(at)) AS changed_at,
    s.EXT_LINK                                       AS requisition_id,   -- CHECK: where WHOOP's requisition id is kept
    t.ANALYSIS                                       AS order_code,
    -- What happened to the sample as a whole counts before what happened to the test.
    CASE WHEN s.STATUS IN ('U', 'R', 'X') THEN s.STATUS ELSE t.STATUS END AS status
    -- CHECK: where the patient's birth date is kept; it is compared with WHOOP's in memory, never kept.
    -- , CAST(s.PATIENT_BIRTH_DATE AS date)          AS birth_date
FROM dbo.TEST AS t
JOIN dbo.SAMPLE AS s ON s.SAMPLE_NUMBER = t.SAMPLE_NUMBER
WHERE s.CUSTOMER = 'WHOOP';                          -- CHECK: what makes a sample WHOOP's
GO

-- One row for each result of these tests. A row stays whatever its status becomes.
CREATE VIEW whoop.results AS
SELECT
    r.RESULT_NUMBER                                  AS row_id,
    (SELECT MAX(c.at) FROM (VALUES (r.CHANGED_ON), (t.CHANGED_ON), (s.CHANGED_ON)) AS c(at)) AS changed_at,
    s.EXT_LINK                                       AS requisition_id,   -- CHECK, as above
    t.ANALYSIS                                       AS order_code,
    r.NAME                                           AS result_code,
    r.FORMATTED_ENTRY                                AS value,            -- text, as on the report
    r.UNITS                                          AS unit,
    CASE
        WHEN r.REPORTABLE = 'F'       THEN 'hidden'  -- not for reports
        -- Neither F nor T: nobody said that it may be reported. No word of limsbridge.yaml, and so held.
        WHEN COALESCE(r.REPORTABLE, '') <> 'T' THEN 'REPORTABLE?'
        WHEN s.STATUS IN ('R', 'X')   THEN s.STATUS  -- the whole sample
        WHEN t.STATUS = 'A'           THEN r.STATUS
        ELSE t.STATUS                                -- its test is not authorised: nothing is released
    END                                              AS status
FROM dbo.RESULT AS r
JOIN dbo.TEST AS t   ON t.TEST_NUMBER = r.TEST_NUMBER
JOIN dbo.SAMPLE AS s ON s.SAMPLE_NUMBER = t.SAMPLE_NUMBER
WHERE s.CUSTOMER = 'WHOOP';                          -- CHECK, as above
GO

[[template "login" .]]
-- An index on CHANGED_ON would not help: changed_at is the newest of several stamps, so each reading looks
-- at all of WHOOP's rows. What keeps it to those in a large database, where it is missing:
--   CREATE INDEX IX_SAMPLE_CUSTOMER ON dbo.SAMPLE (CUSTOMER);            CHECK: the column of the WHERE
--   and indexes on dbo.TEST (SAMPLE_NUMBER) and dbo.RESULT (TEST_NUMBER).

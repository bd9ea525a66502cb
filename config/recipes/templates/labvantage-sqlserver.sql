-- limsbridge on LabVantage (Microsoft SQL Server): what the DBA is asked to run, in SSMS or with
-- sqlcmd, as a member of db_owner.
--
-- It makes a schema of its own with two views, and a user that may read these two views and
-- nothing else. Nothing of LabVantage is changed. It may be run again. To undo all of it:
--   DROP VIEW whoop.orders; DROP VIEW whoop.results; DROP SCHEMA whoop; DROP USER limsbridge_ro;
--
-- Places marked CHECK differ between installations and releases.

USE [LABVANTAGE];                                    -- CHECK: the name of the database
GO

IF SCHEMA_ID('whoop') IS NULL EXEC('CREATE SCHEMA whoop AUTHORIZATION dbo');
GO
IF OBJECT_ID('whoop.orders', 'V') IS NOT NULL DROP VIEW whoop.orders;
IF OBJECT_ID('whoop.results', 'V') IS NOT NULL DROP VIEW whoop.results;
GO

-- One row for each data set (a parameter list that was ordered) of WHOOP's samples.
CREATE VIEW whoop.orders AS
SELECT
    d.sdidataid                                      AS row_id,           -- CHECK: the data set's own id
    -- A change may touch only one of the two; MAX leaves out NULL.
    (SELECT MAX(c.at) FROM (VALUES (d.moddt), (s.moddt)) AS c(at)) AS changed_at,
    s.u_requisitionid                                AS requisition_id,   -- CHECK: where WHOOP's requisition id is kept
    d.paramlistid                                    AS order_code,
    -- The sample's; its parameter lists are reviewed with it. Where each is reviewed by itself,
    -- take d.s_datasetstatus for the samples that are neither Initial nor Cancelled.
    s.samplestatus                                   AS status
    -- CHECK: where the patient's birth date is kept; it is compared with WHOOP's in memory, never kept.
    -- , CAST(s.u_birthdate AS date)                 AS birth_date
FROM dbo.sdidata AS d
JOIN dbo.s_sample AS s ON s.s_sampleid = d.keyid1
WHERE d.sdcid = 'Sample'
  AND s.u_customer = 'WHOOP';                        -- CHECK: what makes a sample WHOOP's
GO

-- One row for each data item. A row stays whatever its status becomes.
CREATE VIEW whoop.results AS
SELECT
    i.sdidataitemid                                  AS row_id,           -- CHECK: the data item's own id
    (SELECT MAX(c.at) FROM (VALUES (i.moddt), (s.moddt)) AS c(at)) AS changed_at,
    s.u_requisitionid                                AS requisition_id,   -- CHECK, as above
    i.paramlistid                                    AS order_code,
    i.paramid                                        AS result_code,
    i.displayvalue                                   AS value,            -- text, as on the report
    i.displayunits                                   AS unit,
    CASE
        WHEN s.samplestatus = 'Cancelled'            THEN 'cancelled'
        WHEN s.samplestatus = 'Reviewed' AND i.releasedflag = 'Y' THEN 'released'
        ELSE 'pending'                                                    -- not verified: nothing is released
    END                                              AS status
FROM dbo.sdidataitem AS i
JOIN dbo.s_sample AS s ON s.s_sampleid = i.keyid1
WHERE i.sdcid = 'Sample'
  AND s.u_customer = 'WHOOP';                        -- CHECK, as above
GO

[[template "login" .]]

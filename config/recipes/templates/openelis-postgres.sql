-- limsbridge on OpenELIS Global (PostgreSQL): what the DBA is asked to run.
--
--   psql -U postgres -d clinlims -f create-views.sql
--
-- as a superuser, since it makes a login. It makes a schema of its own with two views, and that
-- login may read these two views and nothing else. Nothing of OpenELIS is changed. It may be run
-- again. To undo it:
--   DROP SCHEMA whoop CASCADE; DROP ROLE limsbridge_ro;
--
-- Should an upgrade of OpenELIS fail because a view uses a column that it changes: drop the schema as
-- above (keep the role), upgrade, and run this file again. The bridge waits meanwhile.
--
-- Three places are marked CHECK.

BEGIN;

CREATE SCHEMA IF NOT EXISTS whoop;

-- Made anew, since CREATE OR REPLACE cannot take a column away. The grants below come after.
DROP VIEW IF EXISTS whoop.orders;
DROP VIEW IF EXISTS whoop.results;

-- One row for each test that was ordered (OpenELIS: analysis) of WHOOP's orders.
CREATE VIEW whoop.orders AS
SELECT
    a.id                                              AS row_id,
    -- A release may touch only one of the first three, the mending of a birth date only the patient,
    -- that of a requisition id only the electronic order; GREATEST leaves out NULL.
    GREATEST(a.lastupdated, si.lastupdated, s.lastupdated, sh.lastupdated, p.lastupdated, eo.lastupdated) AS changed_at,
    -- CHECK 1: where WHOOP's requisition id is kept. An electronic order has it as its external
    -- id; where orders are typed in, it is the sample's referring id.
    btrim(COALESCE(eo.external_id, s.referring_id))   AS requisition_id,
    -- CHECK 2: the code of the test: its local code, or its description where another test has the
    -- same local code (OpenELIS keeps only the description unique).
    t.code                                            AS order_code,
    -- By name, since the ids differ between installations. What happened to the sample counts
    -- before what happened to the test.
    CASE WHEN sis.name IN ('SampleCanceled', 'Sample Rejected') THEN sis.name ELSE ans.name END AS status,
    -- Compared with WHOOP's in memory, never kept. Remove this column if it may not be read.
    p.birth_date::date                                AS birth_date
FROM clinlims.analysis a
JOIN clinlims.sample_item si             ON si.id = a.sampitem_id
JOIN clinlims.sample s                   ON s.id = si.samp_id
JOIN (SELECT id, uom_id, CASE WHEN btrim(local_code) <> '' AND count(*) OVER (PARTITION BY btrim(local_code)) = 1
                              THEN btrim(local_code) ELSE description END AS code
        FROM clinlims.test) t            ON t.id = a.test_id
LEFT JOIN clinlims.electronic_order eo   ON eo.id = s.clinical_order_id
LEFT JOIN clinlims.status_of_sample ans  ON ans.id = a.status_id
LEFT JOIN clinlims.status_of_sample sis  ON sis.id = si.status_id
LEFT JOIN clinlims.sample_human sh       ON sh.samp_id = s.id      -- at most one for each sample
LEFT JOIN clinlims.patient p             ON p.id = sh.patient_id
-- CHECK 3: which orders are WHOOP's: here, those with an id of this form. Where ids are typed in, or
-- other partners of the lab order with such ids too, take the organization that orders for WHOOP
-- instead of the form (then an id with a typing error is held, and not passed over):
--   WHERE EXISTS (SELECT 1 FROM clinlims.sample_requester sr
--                 JOIN clinlims.requester_type rt ON rt.id = sr.requester_type_id AND rt.requester_type = 'organization'
--                 JOIN clinlims.organization o ON o.id = sr.requester_id
--                WHERE sr.sample_id = s.id AND o.name = 'WHOOP')
WHERE btrim(COALESCE(eo.external_id, s.referring_id))
      ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

-- One row for each result of these orders. A row stays whatever its status becomes.
CREATE VIEW whoop.results AS
SELECT
    r.id                                              AS row_id,
    GREATEST(r.lastupdated, a.lastupdated, si.lastupdated, s.lastupdated, eo.lastupdated,
        CASE WHEN r.result_type IN ('M', 'C') THEN      -- any of several choices
            (SELECT max(m.lastupdated) FROM clinlims.result m
              WHERE m.analysis_id = r.analysis_id AND m.result_type = r.result_type)
        END)                                          AS changed_at,
    btrim(COALESCE(eo.external_id, s.referring_id))   AS requisition_id,      -- CHECK 1, as above
    t.code                                            AS order_code,          -- CHECK 2, as above
    -- A test has one result, called like the test; a quantity that belongs to a chosen word
    -- (it has a parent) is called so.
    t.code
        || CASE WHEN r.parent_id IS NULL THEN '' ELSE ' quantity' END AS result_code,
    -- Numbers, titres and text as they were entered (not cut or filled up to the digits that a
    -- printed report shows). For a choice the value is an id: its words, one or several. What a type
    -- that is not named here keeps as its value is not known (an id?): it shows none, and is held.
    CASE
        WHEN r.result_type = 'D' THEN
            (SELECT d.dict_entry FROM clinlims.dictionary d
              WHERE d.id = CASE WHEN r.value ~ '^[0-9]{1,10}$' THEN r.value::numeric END)
        WHEN r.result_type IN ('M', 'C') THEN
            (SELECT string_agg(d.dict_entry, ', ' ORDER BY m.id)
               FROM clinlims.result m
               JOIN clinlims.dictionary d
                 ON d.id = CASE WHEN m.value ~ '^[0-9]{1,10}$' THEN m.value::numeric END
              WHERE m.analysis_id = r.analysis_id AND m.result_type = r.result_type)
        WHEN r.result_type IN ('N', 'T', 'A', 'R') THEN r.value   -- numeric, titre, alphanumeric, remark
    END                                               AS value,
    CASE WHEN r.result_type IN ('D', 'M', 'C') THEN NULL ELSE u.name END AS unit,
    CASE WHEN sis.name IN ('SampleCanceled', 'Sample Rejected') THEN sis.name ELSE ans.name END AS status
FROM clinlims.result r
JOIN clinlims.analysis a                 ON a.id = r.analysis_id
JOIN clinlims.sample_item si             ON si.id = a.sampitem_id
JOIN clinlims.sample s                   ON s.id = si.samp_id
JOIN (SELECT id, uom_id, CASE WHEN btrim(local_code) <> '' AND count(*) OVER (PARTITION BY btrim(local_code)) = 1
                              THEN btrim(local_code) ELSE description END AS code
        FROM clinlims.test) t            ON t.id = a.test_id
LEFT JOIN clinlims.unit_of_measure u     ON u.id = t.uom_id
LEFT JOIN clinlims.electronic_order eo   ON eo.id = s.clinical_order_id
LEFT JOIN clinlims.status_of_sample ans  ON ans.id = a.status_id
LEFT JOIN clinlims.status_of_sample sis  ON sis.id = si.status_id
WHERE btrim(COALESCE(eo.external_id, s.referring_id))                         -- CHECK 3, as above
      ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
  -- Several choices of one result are several rows in OpenELIS and one here.
  AND NOT (r.result_type IN ('M', 'C') AND EXISTS (
        SELECT 1 FROM clinlims.result m
         WHERE m.analysis_id = r.analysis_id AND m.result_type = r.result_type AND m.id < r.id));

-- The login. It may read the two views; they read OpenELIS with the rights of their owner.
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
--
-- For whoever fills in limsbridge.yaml: the words that results of a choice may have. Those that are
-- no word of every laboratory (such as NEGATIVE) belong into the "words" of their result there.
--   SELECT o.order_code, string_agg(DISTINCT d.dict_entry, ' | ')
--     FROM whoop.orders o JOIN clinlims.analysis a ON a.id = o.row_id
--     JOIN clinlims.test_result tr ON tr.test_id = a.test_id AND tr.tst_rslt_type IN ('D', 'M', 'C')
--     JOIN clinlims.dictionary d ON d.id::text = tr.value
--    GROUP BY o.order_code;

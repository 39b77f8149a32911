-- The snapshots stay in the record, which is not changed.
SELECT 1;

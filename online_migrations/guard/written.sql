-- The rows of all tables that the server still counts for this session, also of transactions before.
SELECT relid, jsonb_build_object('inserted', n_tup_ins, 'updated', n_tup_upd, 'deleted', n_tup_del) AS rows
FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0

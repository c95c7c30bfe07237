-- Rows of every table, parents first, from the revision on at which it has these columns; `newest` are five users, whom
-- the first statement makes.

INSERT INTO users (email, nickname, nickname_key, password_hash)
  SELECT n || '@example.com', 'Nick ' || n, 'nick ' || n, 'hash'
  FROM (SELECT count(*) FROM users) present, generate_series(present.count + 1, present.count + 5) n;
INSERT INTO notes (user_id, title, content) SELECT id, 'title', 'text ' || id FROM newest;
-- others are shared by no link
INSERT INTO note_shares (note_id, user_id, token)
  SELECT id, user_id, 'token-' || id FROM notes WHERE user_id IN (SELECT id FROM newest LIMIT 2);
-- others were never edited
INSERT INTO note_versions (note_id, version, title, content, saved_at)
  SELECT id, 1, 'title', 'text', now() FROM notes WHERE user_id IN (SELECT id FROM newest LIMIT 2);
INSERT INTO todos (user_id, description) SELECT id, 'todo ' || id FROM newest;
INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)
  SELECT md5(id::text), id, now() + interval '1 day', 'browser' FROM newest;
INSERT INTO account_events (user_id, kind, day, user_agent, ip)
  SELECT id, 'sign_in_failed', current_date, 'browser', '203.0.113.7' FROM newest;
INSERT INTO notices (user_id, kind, email) SELECT id, 'password_changed', email FROM newest;
INSERT INTO sign_up_links (token_hash, email, expires_at)
  SELECT md5(id::text), id || '@example.org', now() + interval '1 day' FROM newest;
INSERT INTO account_tokens (token_hash, user_id, purpose, email, expires_at)
  SELECT md5(id::text), id, 'confirm_email', email, now() + interval '1 day' FROM newest;
INSERT INTO access_tokens (token_hash, user_id, name, scopes)
  SELECT md5(id::text), id, 'script', '{read}' FROM newest;
INSERT INTO idempotency_keys (user_id, key, request) SELECT id, gen_random_uuid(), gen_random_uuid() FROM newest;
INSERT INTO passkeys (user_id, credential_id, public_key, user_handle, sign_count, name, transports, backed_up)
  SELECT id, md5(id::text)::bytea, 'key', 'handle', 0, 'phone', '{internal}', true FROM newest;
INSERT INTO recovery_codes (user_id, code_hash) SELECT id, md5(id::text) FROM newest;
INSERT INTO passkey_challenges (challenge, purpose, user_id, expires_at)
  SELECT 'challenge', 'sign_in', id, now() + interval '1 day' FROM newest;
INSERT INTO pending_sign_ins (token_hash, user_id, password_mark, remember, expires_at)
  SELECT md5(id::text), id, md5(password_hash), false, now() + interval '1 day' FROM newest;
INSERT INTO rate_limits (id, full_at) SELECT md5(id::text), now() FROM newest;
INSERT INTO account_writes (id, transaction_id) SELECT id, id FROM newest;
INSERT INTO results (user_id, url) SELECT id, 'https://example.com/' || id FROM newest;
-- What the queue is given: a job that waits, one that runs, what happened to them, and the worker that runs it.
INSERT INTO procrastinate_workers DEFAULT VALUES;
INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)
  SELECT 'default', 'jobs.requeue_stalled_jobs', status::procrastinate_job_status, CASE status WHEN 'doing' THEN id END
  FROM (SELECT max(id) AS id FROM procrastinate_workers) newest_worker, unnest(ARRAY['todo', 'doing']) status;
INSERT INTO job_records (id, request_id, error, failed_at)
  SELECT id, md5(id::text), 'ValueError: no number', now() FROM procrastinate_jobs ON CONFLICT DO NOTHING;
INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)
  SELECT task_name, id, id FROM procrastinate_jobs WHERE status = 'todo' ON CONFLICT DO NOTHING;
INSERT INTO procrastinate_events (job_id, type) SELECT id, 'started' FROM procrastinate_jobs ORDER BY id DESC LIMIT 2;
-- it has one, which the revision makes
INSERT INTO database_marks (id) VALUES (1) ON CONFLICT DO NOTHING;
INSERT INTO tag_readings (id) SELECT 100 + count(*) FROM tag_readings;

-- The demo's tables and views for a real Materialize.
--
-- `viewcast demo --upstream URL` runs this file statement by statement and then
-- inserts the recorded edits. It may be run again at any time: what exists
-- already is left as it is. Nothing here needs a source or a cluster of its own.
--
-- For today's Materialize. wikipedia-before-0.27.sql is the same for older ones,
-- which call mz_now() mz_logical_timestamp(); `viewcast demo --upstream` finds out
-- by itself.

-- One row for each edit that has come in.
CREATE TABLE IF NOT EXISTS edits (
    -- place in the endless recording, from 0
    edit_id bigint NOT NULL,
    -- when it happened, in the recording's time (2015)
    edited_at timestamp NOT NULL,
    -- language code of the Wikipedia
    wiki text NOT NULL,
    page text NOT NULL,
    -- NULL for an anonymous editor
    user_name text,
    -- signed change of the page's length
    bytes bigint NOT NULL,
    -- when it leaves edits_per_minute and hot_pages: milliseconds since 1970 of
    -- the server's clock, since the recording's time runs faster
    minute_until numeric NOT NULL,
    hot_until numeric NOT NULL
);

-- The second data set: language and family of each Wikipedia.
CREATE TABLE IF NOT EXISTS wikis (
    code text NOT NULL,
    language text NOT NULL,
    family text NOT NULL
);

CREATE MATERIALIZED VIEW IF NOT EXISTS counter AS
SELECT count(*) AS edits, sum(bytes) AS bytes, count(DISTINCT user_name) AS editors
FROM edits;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_edits AS
SELECT user_name AS "user", count(*) AS count
FROM edits
WHERE user_name IS NOT NULL
GROUP BY user_name;

-- The largest of them, one row for each page that somebody edited: what a
-- gateway's windows are for (page_edits?user=eq.Preferwiki).
CREATE MATERIALIZED VIEW IF NOT EXISTS page_edits AS
SELECT user_name AS "user", wiki, page, count(*) AS edits, sum(bytes) AS bytes
FROM edits
GROUP BY user_name, wiki, page;

CREATE MATERIALIZED VIEW IF NOT EXISTS top10 AS
SELECT "user", count
FROM user_edits
ORDER BY count DESC, "user"
LIMIT 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS edits_by_language AS
SELECT wikis.language, wikis.family, count(*) AS edits, sum(edits.bytes) AS bytes
FROM edits
JOIN wikis ON edits.wiki = wikis.code
GROUP BY wikis.language, wikis.family;

-- A temporal filter: rows leave the view as time passes, without a DELETE.
CREATE MATERIALIZED VIEW IF NOT EXISTS edits_per_minute AS
SELECT date_trunc('minute', edited_at) AS minute, count(*) AS edits
FROM edits
WHERE mz_now() < minute_until
GROUP BY date_trunc('minute', edited_at);

CREATE MATERIALIZED VIEW IF NOT EXISTS hot_pages AS
SELECT page, wiki, count(DISTINCT user_name) AS editors, count(*) AS edits
FROM edits
WHERE mz_now() < hot_until
GROUP BY page, wiki
HAVING count(DISTINCT user_name) > 1;

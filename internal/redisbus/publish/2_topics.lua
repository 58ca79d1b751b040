-- Part 2: what the store knows of the call's topics, and so from where the
-- positions go on.
--
-- Needs after, text, raise, split and the clock; gives topics, each with last,
-- bytes, count, first, lost, stood, gone and empty, ended, status and lease, of one
-- that is not in the books fresh, of a table also live, the number of its keys; and ms and seq as the first moment of
-- what comes.

-- Reads what is known of a topic that is not ephemeral.
local function read(t)
  local meta = redis.call('HMGET', t.meta, 'last', 'bytes', 'first', 'lost', 'before', 'gone', 'kind', 'ended', 'lease', 'count', 'until')
  t.last, t.bytes, t.first, t.lost = meta[1], tonumber(meta[2] or 0), meta[3], meta[4]
  t.had, t.cut = meta[7] or '', meta[6] or '0-0'
  t.count, t.stood = tonumber(meta[10] or 0), meta[5]
  t.ended, t.lease = meta[8] or nil, meta[9] and tonumber(meta[9])
  t.status = t.ended and string.match(t.ended, '^%S+')
  if t.kind == '?' then
    t.kind = t.had
  end
  -- The books say until when it lives, but not whether it does: where a clock was
  -- ahead and was set back, it has expired before.
  local length = redis.call('XLEN', t.log)
  t.aging = length == 0 or tonumber(meta[11] or 0) < now + keepMS
  local keys = t.now and redis.call('HLEN', t.now)
  -- What was kept by another rule goes when something comes, and so does a table of
  -- which nobody can tell the keys.
  t.turned = length > 0 and (t.had ~= t.kind or keys == 0)
  t.clear = length == 0 or t.turned
  if t.clear then
    -- All there was has expired. If a loss came last, that is what stood before
    -- it, and may have been noted already.
    t.empty = not t.last or t.last ~= t.lost
    if not t.empty and after(t.stood or '0-0', t.cut) then
      t.gone = t.stood
    end
    t.bytes, t.count, t.first = 0, 0, nil
  end
  t.began = t.first
  if t.now then
    t.live = t.clear and 0 or keys - redis.call('ZCARD', t.nulls)
  end
  t.listed = t.last
  if not t.last then
    -- Unknown, or swept: nobody can tell what it had up to the forgotten
    -- position. If the sweep has yet to come, the time of its last event is
    -- all that is left of it.
    local score = redis.call('ZSCORE', topicsKey, t.name)
    t.last, t.fresh = score and text(tonumber(score), maxSeq) or forgotten, not score
  end
  raise(t.last)
end

local topics = {}
local nextKey = 7
local function takeKey()
  nextKey = nextKey + 1
  return KEYS[nextKey - 1]
end
for i = 1, topicCount do
  local t = { name = ARGV[14 + 3 * i], kind = ARGV[15 + 3 * i], most = tonumber(ARGV[16 + 3 * i]) }
  t.log, t.meta = takeKey(), takeKey()
  if t.kind == 'k' then
    t.now, t.nulls = takeKey(), takeKey()
  end
  if t.kind ~= 'x' then
    read(t)
  end
  topics[i] = t
end
if now > ms then
  ms, seq = now, -1
end

-- What a table has of a key: its position, "" if there is none, and what it takes,
-- 0 for a null.
local function entryOf(t, key)
  t.entries = t.entries or {}
  if not t.entries[key] then
    local known = not t.clear and redis.call('HGET', t.now, key)
    local at, size = string.match(known or ' 0', '^(%S*) (%d+)$')
    t.entries[key] = { at = at, size = tonumber(size) }
  end
  return t.entries[key]
end


-- Part 5: the limits of topics, and the books.
--
-- Needs topics as part 4 leaves them, now, ms and epoch.

-- The first position of an entry, of which there are so many messages.
local function firstOf(entry)
  local entryMS, last = split(entry[1])
  return text(entryMS, last - tonumber(entry[2][4]) + 1)
end

-- Takes what is over the limits or too old out of the log, oldest first, by whole
-- entries; the newest stays. How old they are is looked at from time to time:
-- who reads leaves out what is too old.
local function cut(t)
  local oldest, most, page = now - keepMS, math.max(1, keepMessages), t.added + 1
  while t.count > most or t.bytes > keepBytes or t.aging and split(t.first) < oldest do
    local entries = redis.call('XRANGE', t.log, '-', '+', 'COUNT', page)
    local left = 1
    while left < #entries do
      local at = entries[left][1]
      local _, from = split(t.first)
      local entryMS, upto = split(at)
      local count = upto - from + 1
      local over = t.bytes > keepBytes or t.count - count >= most
      if not over and entryMS >= oldest then
        break
      end
      t.count, t.bytes = t.count - count, t.bytes - entryCost - #entries[left][2][6]
      t.gone, t.since = at, over and t.last or ''
      left = left + 1
      t.first = firstOf(entries[left])
    end
    if left > 1 then
      redis.call('XTRIM', t.log, 'MINID', '=', entries[left][1])
    end
    if left < #entries or #entries < page then
      return
    end
    page = math.min(2 * page, 100)
  end
end

-- Keeps a log's limits. Where the first entry has more messages than one, some of
-- them may be gone for all, though they are still there.
local function trim(t)
  cut(t)
  local over = t.count - math.max(1, keepMessages)
  if over > 0 then
    local firstMS, from = split(t.first)
    t.gone, t.since, t.count = text(firstMS, from + over - 1), t.last, t.count - over
    t.first = text(firstMS, from + over)
  end
end

-- Takes a table's nulls out that are too old, or more than it may have keys.
local function prune(t)
  local function drop(nulls, since)
    for _, null in ipairs(nulls) do
      local key = string.sub(null, 12)
      local at = string.match(redis.call('HGET', t.now, key), '^%S+')
      redis.call('XDEL', t.log, at)
      redis.call('HDEL', t.now, key)
      redis.call('ZREM', t.nulls, null)
      t.stale = t.stale or at == t.first
      if after(at, t.gone or t.cut) then
        t.gone, t.since = at, since
      end
    end
  end
  local old = string.format('(%.0f', now - keepMS)
  drop(redis.call('ZRANGE', t.nulls, '-inf', old, 'BYSCORE', 'LIMIT', 0, 100), '')
  local over = math.min(redis.call('ZCARD', t.nulls) - t.most, 1000)
  if over > 0 then
    drop(redis.call('ZRANGE', t.nulls, '-inf', '+inf', 'BYSCORE', 'LIMIT', 0, over), t.last)
  end
  if t.stale then
    t.first = redis.call('XRANGE', t.log, '-', '+', 'COUNT', 1)[1][1]
  end
end

-- Keeps the limits of a topic that has something new, and what is alive of it for
-- as long as that is.
local function keep(t)
  if t.aging then
    redis.call('PEXPIRE', t.log, keepMS + spareMS) -- the first to go: without it the others do not count
  end
  if t.now then
    prune(t)
    redis.call('PEXPIRE', t.now, keepMS + spareMS)
    redis.call('PEXPIRE', t.nulls, keepMS + spareMS)
  elseif t.kind == '' then
    trim(t)
  end
end

-- Writes down what has come to be of a topic.
local score = string.format('%.0f', ms)
local function note(t)
  local fields = { 'last', t.last, 'bytes', string.format('%d', t.bytes), 'count', string.format('%d', t.count) }
  local function set(name, value)
    if value then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  set('first', t.first ~= t.began and t.first)
  set('gone', t.gone)
  set('since', t.since or t.gone and '')
  set('lost', t.lost)
  set('before', t.before)
  for _, name in ipairs(t.losses or {}) do
    set('lost:' .. name, t.lost)
  end
  set('kind', t.kind ~= t.had and t.kind)
  set('ended', t.ends)
  set('lease', t.leased and string.format('%.0f', t.leased))
  set('until', t.aging and t.added and string.format('%.0f', now + keepMS + spareMS))
  redis.call('HSET', t.meta, unpack(fields))
  if t.aging then
    redis.call('PEXPIRE', t.meta, metaMS + spareMS)
  end
  redis.call('ZADD', topicsKey, score, t.name)
  if not t.listed then
    redis.call('ZADD', namesKey, 0, t.name)
  end
end

for i = 1, topicCount do
  local t = topics[i]
  if t.added then
    keep(t)
  end
  if t.touched then
    note(t)
  end
  if t.lease and t.ends or t.freed then
    redis.call('ZREM', dueKey, t.name)
  elseif t.lease and (t.added or t.prolonged) then
    redis.call('ZADD', dueKey, string.format('%.0f', now + t.lease), t.name)
    redis.call('PEXPIRE', t.meta, metaMS + spareMS)
  end
end


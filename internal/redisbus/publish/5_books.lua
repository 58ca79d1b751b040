-- Part 5: the limits of topics, and the books.
--
-- Needs topics as part 4 leaves them, now, ms and epoch.

-- Says which entry is the first, once others were cut off, up to the position
-- gone. An entry's base is the bytes of all that ever stood before it in its log.
local function begin(t, entry, gone, since)
  local base = tonumber(entry[2][12])
  t.bytes = t.base + t.bytes - base
  t.base, t.first, t.gone, t.since, t.moved = base, entry[1], gone, since, true
end

-- Cuts off what is over the limits or too old, oldest first; the newest stays.
local function trim(t)
  if t.length > keepMessages then
    t.length = math.max(1, keepMessages)
    redis.call('XTRIM', t.log, 'MAXLEN', '=', t.length)
    local entry = redis.call('XRANGE', t.log, '-', '+', 'COUNT', 1)[1]
    -- What stood right before it, or before the loss that did.
    local prev = entry[2][2]
    begin(t, entry, prev == t.lost and t.stood or prev, t.last)
  end
  local oldest, count = now - keepMS, 1
  while t.length > 1 and (t.bytes > keepBytes or split(t.first) < oldest) do
    local entries = redis.call('XRANGE', t.log, '-', '+', 'COUNT', count + 1)
    local cut = 0
    while cut < #entries - 1 and (t.bytes > keepBytes or split(t.first) < oldest) do
      cut = cut + 1
      begin(t, entries[cut + 1], t.first, t.bytes > keepBytes and t.last or '')
    end
    t.length = t.length - cut
    redis.call('XTRIM', t.log, 'MAXLEN', '=', t.length)
    count = math.min(2 * count, 100)
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
local function note(t)
  local fields = { 'last', t.last, 'bytes', string.format('%.0f', t.bytes) }
  local function set(name, value)
    if value then
      fields[#fields + 1], fields[#fields + 2] = name, value
    end
  end
  set('first', t.first)
  set('base', t.moved and string.format('%.0f', t.base))
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
  set('until', t.aging and string.format('%.0f', now + keepMS + spareMS))
  redis.call('HSET', t.meta, unpack(fields))
  if t.aging then
    redis.call('PEXPIRE', t.meta, metaMS + spareMS)
  end
  redis.call('ZADD', topicsKey, string.format('%.0f', ms), t.name)
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


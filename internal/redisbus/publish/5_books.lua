-- Part 5: the limits of topics, and the books.
--
-- Needs topics as part 4 leaves them, now, ms and epoch.

-- Cuts off what is over the limits or too old, oldest first; the newest stays.
local function trim(t)
  local oldest = now - keepMS
  while t.length > 1 do
    local over = t.length - keepMessages
    if over <= 0 and t.bytes <= keepBytes and split(t.first) >= oldest then
      return
    end
    local count = math.max(1, math.min(over, 100))
    local entries = redis.call('XRANGE', t.log, '-', '+', 'COUNT', count + 1)
    local cut = 0
    for i = 1, #entries - 1 do
      local id, fields = entries[i][1], entries[i][2]
      local tooMuch = t.length - cut > keepMessages or t.bytes > keepBytes
      if not tooMuch and split(id) >= oldest then
        break
      end
      t.gone, t.since = id, tooMuch and t.last or ''
      t.bytes = t.bytes - entryCost - #fields[4] - #fields[6] - #fields[8]
      cut = cut + 1
    end
    t.first = entries[cut + 1][1]
    if cut == 0 then
      return
    end
    t.length = t.length - cut
    redis.call('XTRIM', t.log, 'MAXLEN', '=', t.length)
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
  redis.call('PEXPIRE', t.log, keepMS) -- the first to go: without it the others do not count
  if t.now then
    prune(t)
    redis.call('PEXPIRE', t.now, keepMS)
    redis.call('PEXPIRE', t.nulls, keepMS)
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
  redis.call('HSET', t.meta, unpack(fields))
  redis.call('PEXPIRE', t.meta, metaMS)
  redis.call('ZADD', topicsKey, string.format('%.0f', ms), t.name)
  redis.call('ZADD', namesKey, 0, t.name)
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
    redis.call('PEXPIRE', t.meta, metaMS)
  end
end


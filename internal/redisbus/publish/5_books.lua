-- Part 5: the limits of topics, and the books.
--
-- Needs topics as part 4 leaves them, now and ms.

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

for i = 1, topicCount do
  local t = topics[i]
  if t.touched then
    if t.added then
      trim(t)
      redis.call('PEXPIRE', t.log, keepMS)
    end
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
    redis.call('HSET', t.meta, unpack(fields))
    redis.call('PEXPIRE', t.meta, metaMS)
    redis.call('ZADD', topicsKey, string.format('%.0f', ms), t.name)
    redis.call('ZADD', namesKey, 0, t.name)
  end
end

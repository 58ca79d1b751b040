-- One call of a node's publish lane: stores and announces messages, each group
-- of them whole or not at all. A call without groups only moves the clock: a
-- beat.
--
-- KEYS  1 clock  2 epochs  3 topics  4 names  5 lane
--       then of each topic in the call its log and its meta
--       then the once keys and the seq keys that the messages name
-- ARGV  1 run id of the server, as this connection learned it when it was made
--       2 number of the call, rising with each call of this lane; 0: a beat
--       3 position that every new one has to lie behind
--       4 epoch that the caller knows, "<number>.<nonce>"
--       5 nonce, should a new epoch begin
--       6 messages kept of a topic  7 bytes  8 milliseconds
--       9 milliseconds that idempotency keys are remembered
--       10 channel of the wire  11 name of the lane
--       12 number of topics  13 number of groups
--       14 where the caller knows the clock of that epoch to have stood
--       15 milliseconds that producers are remembered
--       then the names of the topics
--       then each group: number of its messages, deadline in Redis'
--       milliseconds, the epoch that it has to be taken in or nothing
--       then each message: number of its topic, kind, event name, key, data,
--       number of its once key and digest, or only 0, number of its seq key and
--       seq, or only 0. Both kinds of keys are counted together.
--       Kinds: t text, j JSON; l is no message but the report of a loss, its
--       name being the ended epoch, its data a position in it.
--
-- Returns words, separated by spaces:
--   epoch  its beginning  position of the clock  Redis' milliseconds
--   number of ended epochs, and these, if the caller knew another epoch
--   then for each group "late", "turned" if it has to be taken in another epoch,
--   "reused:<number of message>", or "ok" and for
--   each message its position, "<epoch>@<position>" of an earlier one with its
--   key or seq, "old" if its producer's highest seq lies beyond its own, or "-"
--   for a loss that was known.
-- Or only "fenced": the lane has given this call up.
--
-- All reads and refusals come first, then XADD, the only write that can fail
-- (out of memory), then the rest.

local clockKey, epochsKey, topicsKey, namesKey, laneKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local run, call, nonce = ARGV[1], tonumber(ARGV[2]), ARGV[5]
local keepMessages, keepBytes, keepMS, onceMS = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local seqMS = tonumber(ARGV[15])
local topicCount, groupCount = tonumber(ARGV[12]), tonumber(ARGV[13])
-- What is remembered of a topic outlives its log, so that the sweep finds it.
local metaMS = keepMS + 3600000
-- What an entry takes besides its texts.
local entryCost = 100
-- The last number that a position may have within its millisecond.
local maxSeq = 34359738367

local function split(p)
  local ms, seq = string.match(p, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function text(ms, seq)
  return string.format('%.0f-%.0f', ms, seq)
end

if call > 0 then
  local last = redis.call('HGET', laneKey, 'call')
  if last and tonumber(last) >= call then
    return 'fenced'
  end
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local clock = redis.call('HMGET', clockKey, 'last', 'epoch', 'run', 'began', 'forgotten')
local wire, epoch, began = clock[1] or '0-0', clock[2], clock[4]
local forgotten = clock[5] or '0-0'

local function after(p, q)
  local pms, pseq = split(p)
  local qms, qseq = split(q)
  return pms > qms or pms == qms and pseq > qseq
end
-- Another server wrote last, or nobody: the store may have lost something. Or
-- this one was given older data while it ran: for a while it followed another
-- one, which had less.
local turns = not epoch or clock[3] ~= run or epoch == ARGV[4] and after(ARGV[14], wire)

-- The highest position there is.
local ms, seq = split(wire)
local function raise(p)
  local pms, pseq = split(p)
  if pms > ms or pms == ms and pseq > seq then
    ms, seq = pms, pseq
  end
  if seq >= maxSeq then
    ms, seq = ms + 1, -1
  end
end
raise(ARGV[3])

-- What is known of the topics.
local topics = {}
for i = 1, topicCount do
  local t = { name = ARGV[15 + i], log = KEYS[4 + 2 * i], meta = KEYS[5 + 2 * i] }
  local meta = redis.call('HMGET', t.meta, 'last', 'bytes', 'first', 'lost', 'before', 'gone')
  t.last, t.bytes, t.first, t.lost = meta[1], tonumber(meta[2] or 0), meta[3], meta[4]
  t.length = redis.call('XLEN', t.log)
  if t.length == 0 then
    -- All there was has expired. If a loss came last, that is what stood before
    -- it, and may have been noted already.
    t.empty = not t.last or t.last ~= t.lost
    if not t.empty and after(meta[5] or '0-0', meta[6] or '0-0') then
      t.gone = meta[5]
    end
    t.bytes, t.first = 0, nil
  end
  if not t.last then
    -- Unknown, or swept: nobody can tell what it had up to the forgotten
    -- position. If the sweep has yet to come, the time of its last event is
    -- all that is left of it.
    local score = redis.call('ZSCORE', topicsKey, t.name)
    t.last = score and text(tonumber(score), maxSeq) or forgotten
  end
  raise(t.last)
  topics[i] = t
end
if now > ms then
  ms, seq = now, -1
end

-- Whether what stood at a position of an epoch is gone, and somebody may come
-- who is not told so by his cursor. Of an epoch that is not known, all is gone;
-- its own cursors tell it, but not those of one before it: of an ended one, or of
-- the present one, if that goes on where another primary has come and gone.
local first
local function gone(of, p)
  local ended = redis.call('HGET', epochsKey, of)
  if ended then
    return after(p, ended)
  end
  if not first then
    first = tonumber(string.match(epoch, '^%d+'))
    for _, e in ipairs(redis.call('HKEYS', epochsKey)) do
      first = math.min(first, tonumber(string.match(e, '^%d+')))
    end
  end
  return of ~= epoch and tonumber(string.match(of, '^%d+')) > first
end

-- What a producer's highest message is, as far as the store knows: its seq, and
-- the answer that it got.
local stored = {}
local function highest(key)
  if not stored[key] then
    local known = redis.call('HMGET', key, 'last', 'answer')
    stored[key] = { seq = tonumber(known[1] or -1), answer = known[2] }
  end
  return stored[key]
end

-- Which groups can be taken. Of the groups before, here holds the messages that
-- were the first with their once key, and highestHere those with the highest
-- seq of their seq key; claimed and raised hold those of the group itself.
local moreBase = 5 + 2 * topicCount
local at = 16 + topicCount
local groups, here, highestHere = {}, {}, {}
for g = 1, groupCount do
  local count, deadline, follows = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
  local group = { verdict = 'ok' }
  if now > deadline then
    group.verdict = 'late'
  elseif follows ~= '' and (turns or follows ~= epoch) then
    group.verdict = 'turned'
  end
  local claimed, raised = {}, {}
  for i = 1, count do
    local m = { topic = topics[tonumber(ARGV[at])], kind = ARGV[at + 1], name = ARGV[at + 2], key = ARGV[at + 3],
      data = ARGV[at + 4] }
    at = at + 6
    if ARGV[at - 1] ~= '0' then
      m.once, m.digest = KEYS[moreBase + tonumber(ARGV[at - 1])], ARGV[at]
      at = at + 1
    end
    at = at + 1
    if ARGV[at - 1] ~= '0' then
      m.producer, m.seq = KEYS[moreBase + tonumber(ARGV[at - 1])], tonumber(ARGV[at])
      at = at + 1
    end
    group[i] = m
    if group.verdict == 'ok' and m.kind == 'l' then
      -- Not in a call that begins another epoch; and once for a topic, unless
      -- another server went on with that epoch, and took what lies behind all
      -- that was told then.
      local told = redis.call('HGET', m.topic.meta, 'lost:' .. m.name)
      if turns or told and not after(m.data, told) or not gone(m.name, m.data) then
        m.answer = '-'
      end
    elseif group.verdict == 'ok' and m.producer then
      local top = raised[m.producer] or highestHere[m.producer] or highest(m.producer)
      if m.seq > top.seq then
        raised[m.producer] = m
      elseif m.seq == top.seq then
        m.first = top
      else
        m.answer = 'old'
      end
    end
    if group.verdict == 'ok' and m.once and not m.first and not m.answer then
      local first = claimed[m.once] or here[m.once]
      local digest, answer
      if first then
        digest = first.digest
      else
        local known = redis.call('GET', m.once)
        if known then
          digest, answer = string.sub(known, 1, 32), string.sub(known, 33)
        end
      end
      if not digest then
        claimed[m.once] = m
      elseif digest ~= m.digest then
        group.verdict = 'reused:' .. (i - 1)
      else
        m.first, m.answer = first, answer
      end
    end
  end
  if group.verdict == 'ok' then
    for key, m in pairs(claimed) do
      here[key] = m
    end
    for key, m in pairs(raised) do
      highestHere[key] = m
    end
  end
  groups[g] = group
end

-- From here on it is taken.
local position
local function take()
  seq = seq + 1
  position = text(ms, seq)
  return position
end

local ended
if turns then
  local number = tonumber(string.match(ARGV[4], '^%d+'))
  if epoch then
    number = math.max(number, tonumber(string.match(epoch, '^%d+')))
    ended = epoch
  end
  epoch = string.format('%.0f.%s', number + 1, nonce)
  began = take()
end

local parts = {}
local function part(s)
  parts[#parts + 1] = #s .. ':' .. s
end
local announced = 0
for g = 1, groupCount do
  local group = groups[g]
  for i = 1, #group do
    local m = group[i]
    if group.verdict == 'ok' and not m.answer and not m.first then
      local t = m.topic
      local prev = t.last
      m.at = take()
      if m.kind == 'l' then
        if prev ~= t.lost then
          t.before = prev
        end
        t.lost = m.at
        t.losses = t.losses or {}
        t.losses[#t.losses + 1] = m.name
      else
        redis.call('XADD', t.log, m.at, 'prev', prev, 'event', m.name, 'data', m.data, 'key', m.key, 'flags', m.kind)
        t.bytes = t.bytes + entryCost + #m.name + #m.key + #m.data
        t.first = t.first or m.at
        t.length, t.added = t.length + 1, true
      end
      if t.empty then
        t.empty, t.gone = false, prev -- all before it has expired
      end
      t.last, t.touched = m.at, true
      part(m.at)
      part(prev)
      part(t.name)
      part(m.kind)
      part(m.name)
      part(m.key)
      part(m.data)
      announced = announced + 1
    end
  end
end
if not position then
  take()
end

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

if ended then
  redis.call('HSET', epochsKey, ended, wire)
  -- A store that restarts for ever remembers the last of its epochs.
  if redis.call('HLEN', epochsKey) > 100 then
    local oldest, number
    for _, e in ipairs(redis.call('HKEYS', epochsKey)) do
      local n = tonumber(string.match(e, '^%d+'))
      if not number or n < number then
        oldest, number = e, n
      end
    end
    redis.call('HDEL', epochsKey, oldest)
  end
end
redis.call('HSET', clockKey, 'last', position, 'epoch', epoch, 'run', run, 'began', began)

local words = { epoch, began, position, string.format('%.0f', now) }
local epochs = epoch ~= ARGV[4] and redis.call('HGETALL', epochsKey) or {}
words[#words + 1] = #epochs / 2
for i = 1, #epochs do
  words[#words + 1] = epochs[i]
end
for g = 1, groupCount do
  local group = groups[g]
  words[#words + 1] = group.verdict
  if group.verdict == 'ok' then
    for i = 1, #group do
      local m = group[i]
      local first = m.first
      if first then
        m.answer = first.answer or epoch .. '@' .. first.at
      elseif m.at and m.once then
        redis.call('SET', m.once, m.digest .. epoch .. '@' .. m.at, 'PX', onceMS)
      end
      words[#words + 1] = m.answer or m.at
    end
  end
end
for key, m in pairs(highestHere) do
  redis.call('HSET', key, 'last', string.format('%.0f', m.seq), 'answer', m.answer or epoch .. '@' .. m.at)
  redis.call('PEXPIRE', key, seqMS)
end
local answer = table.concat(words, ' ')
if call > 0 then
  redis.call('HSET', laneKey, 'call', ARGV[2], 'answer', answer)
  redis.call('PEXPIRE', laneKey, 600000)
end

local head = { epoch, run, ARGV[11], ARGV[2], wire, position, string.format('%.0f', announced) }
for i = 1, #head do
  head[i] = #head[i] .. ':' .. head[i]
end
redis.call('PUBLISH', ARGV[10], table.concat(head) .. table.concat(parts))
return answer

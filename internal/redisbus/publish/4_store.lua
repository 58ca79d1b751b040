-- Part 4: a new epoch, if there has to be one, and what is taken. XADD is the
-- first of all writes, and the only one that can fail.
--
-- Needs groups, topics, turns, epoch, ms and seq; gives position, which is the
-- last one that it gave out, ended, the epoch before a new one, parts and
-- announced for the wire, and in topics what the books have to say.

-- From here on it is taken.
local position
local moment = string.format('%.0f-', ms)
local function take(count)
  seq = seq + count
  position = moment .. string.format('%d', seq)
  return position
end

local ended
if turns then
  local number = numberOf(ARGV[4])
  if epoch then
    number = math.max(number, numberOf(epoch))
    ended = epoch
  end
  epoch = string.format('%.0f.%s', number + 1, nonce)
  began = take(1)
end

-- A length as it stands before each text.
local lengths = {}
local function length(s)
  local known = lengths[#s]
  if not known then
    known = #s .. ':'
    lengths[#s] = known
  end
  return known
end

-- What is announced, joined at the end: whatever makes a text has Redis go over
-- each byte of it. In front there is room for what is known only then.
local parts, pieces, announced = { '' }, 1, 0
local function announce(at, prev, name, count, texts)
  count = string.format('%d', count)
  parts[pieces + 1] = length(at) .. at .. length(prev) .. prev .. length(name) .. name .. length(count) .. count .. length(texts)
  parts[pieces + 2] = texts
  pieces, announced = pieces + 2, announced + 1
end

-- One message, as publishers have it.
local function encode(flags, name, data)
  return #flags .. ':' .. flags .. #name .. ':' .. name .. '0:' .. #data .. ':' .. data
end

-- The name of a null among the others of its millisecond, in the order of their
-- positions.
local function nullAt(at, key)
  local _, number = split(at)
  return string.format('%011.0f', number) .. key
end

-- Puts an entry in the place of what a table has of its key. The null of a key is
-- an entry too, so that whoever comes back learns of it.
local function replace(t, m)
  local entry, size = entryOf(t, m.key), m.size
  if entry.at ~= '' then
    redis.call('XDEL', t.log, entry.at)
    t.stale = t.stale or entry.at == t.first
  end
  if entry.at ~= '' and entry.size == 0 then
    redis.call('ZREM', t.nulls, nullAt(entry.at, m.key))
  end
  if size == 0 then
    redis.call('ZADD', t.nulls, string.format('%.0f', ms), nullAt(t.last, m.key))
  end
  t.bytes = t.bytes + size - entry.size
  entry.at, entry.size = t.last, size
  redis.call('HSET', t.now, m.key, string.format('%s %.0f', entry.at, size))
end

-- Stores events as one entry of their topic's log, unless that is ephemeral, and has
-- them announced. The position is that of the last; the others stand right before it.
local function store(t, at, count, texts)
  if t.kind == 'x' then
    announce(at, '0-0', t.name, count, texts)
    return
  end
  local prev = t.last
  redis.call('XADD', t.log, at, 'prev', prev, 'count', count, 'events', texts)
  if t.empty then
    t.empty, t.gone = false, prev -- all before it has expired
  end
  if t.turned then
    redis.call('XTRIM', t.log, 'MAXLEN', '=', 1)
    t.turned, t.since = false, t.gone and at
  end
  if t.clear and t.now then
    redis.call('UNLINK', t.now, t.nulls)
  end
  t.clear, t.last = false, at
  t.added, t.count, t.touched = (t.added or 0) + 1, t.count + count, true
  if not t.now then
    t.bytes = t.bytes + entryCost + #texts
  end
  announce(at, prev, t.name, count, texts)
end

-- The pack that is being filled, with what comes to one topic, as long as nothing
-- else comes. It ends at the position.
local packed, packedCount, packedBytes, packedTexts = nil, 0, 0, {}
local function seal()
  local t = packed
  if t then
    packed = nil
    t.first = t.first or moment .. string.format('%d', seq - packedCount + 1)
    local texts = packedTexts.n == 1 and packedTexts[1] or table.concat(packedTexts, '', 1, packedTexts.n)
    store(t, position, packedCount, texts)
  end
end

-- Puts a run into the pack, or into another one if it does not fit.
local function add(t, m)
  local bytes = #m.texts
  if packed ~= t or packedCount + m.count > packMessages or packedBytes + bytes > packBytes then
    seal()
    packed, packedCount, packedBytes, packedTexts.n = t, 0, 0, 0
  end
  packedCount, packedBytes, packedTexts.n = packedCount + m.count, packedBytes + bytes, packedTexts.n + 1
  packedTexts[packedTexts.n] = m.texts
  return take(m.count)
end

-- Stores an event that stands by itself.
local function single(t, texts)
  seal()
  local at = take(1)
  t.first = t.first or at
  store(t, at, 1, texts)
  return at
end

-- Ends a topic behind what it has.
local function finish(t, how)
  seal()
  local prev = t.last
  local at = single(t, encode('e' .. t.kind, '', how))
  t.ends = how .. ' ' .. at .. ' ' .. prev
  return at
end

-- Notes the loss of what a topic had, as of now.
local function lose(t, m)
  seal()
  local at, prev = take(1), t.last
  if prev ~= t.lost then
    t.before, t.stood = prev, prev
  end
  t.losses = t.losses or {}
  t.losses[#t.losses + 1] = m.key
  if t.empty then
    t.empty, t.gone = false, prev -- all before it has expired
  end
  t.lost, t.last, t.touched = at, at, true
  announce(at, prev, t.name, 1, encode('l', m.key, m.texts))
  return at
end

for g = 1, groupCount do
  local group = groups[g]
  for i = 1, #group do
    local m = group[i]
    if group.verdict == 'ok' and not m.answer and not m.first then
      local t = m.topic
      if m.kind == 'l' then
        m.at = lose(t, m)
      elseif t.now and m.texts ~= '' then
        m.at = single(t, m.texts)
        replace(t, m)
      elseif m.texts ~= '' then
        m.at = add(t, m)
      end
      if m.lease then
        t.lease, t.leased = m.lease, m.lease
      end
      if m.ends then
        m.at = finish(t, m.ends)
      end
    end
  end
end
seal()
if not position then
  take(1)
end

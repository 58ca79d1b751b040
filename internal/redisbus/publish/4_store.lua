-- Part 4: a new epoch, if there has to be one, and what is taken. XADD is the
-- first of all writes, and the only one that can fail.
--
-- Needs groups, topics, turns, epoch, ms and seq; gives position, which is the
-- last one that it gave out, ended, the epoch before a new one, parts and
-- announced for the wire, and in topics what the books have to say.

-- From here on it is taken.
local position
local moment = string.format('%.0f-', ms)
local function take()
  seq = seq + 1
  position = moment .. string.format('%d', seq)
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

-- Each piece stands behind its length. To join them all at once is cheaper than
-- each one with its length before.
local parts, pieces, lengths = {}, 0, {}
local function part(s)
  local length = lengths[#s]
  if not length then
    length = #s .. ':'
    lengths[#s] = length
  end
  parts[pieces + 1], parts[pieces + 2] = length, s
  pieces = pieces + 2
end
local announced = 0
local function announce(at, prev, name, kind, event, key, data)
  part(at)
  part(prev)
  part(name)
  part(kind)
  part(event)
  part(key)
  part(data)
  announced = announced + 1
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
  local entry, size = entryOf(t, m.key), isNull(m) and 0 or costOf(m)
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

-- Stores an event of a topic, unless that is ephemeral, and has it announced.
local function store(t, m, kind)
  local at, prev = take(), t.last
  if t.kind == 'x' then
    announce(at, '0-0', t.name, kind, m.name, m.key, m.data)
    return at
  end
  redis.call('XADD', t.log, at, 'prev', prev, 'event', m.name, 'data', m.data, 'key', m.key, 'flags', kind,
    'base', t.now and '0' or string.format('%.0f', t.base + t.bytes))
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
  t.clear, t.last, t.first = false, at, t.first or at
  t.length, t.added, t.touched = t.length + 1, true, true
  if not t.now then
    t.bytes = t.bytes + costOf(m)
  elseif m.key ~= '' then
    replace(t, m)
  end
  announce(at, prev, t.name, kind, m.name, m.key, m.data)
  return at
end

-- Ends a topic behind what it has.
local function finish(t, how)
  local prev = t.last
  local at = store(t, { name = '', key = '', data = how }, 'e' .. t.kind)
  t.ends = how .. ' ' .. at .. ' ' .. prev
  return at
end

-- Notes the loss of what a topic had, as of now.
local function lose(t, m)
  local at, prev = take(), t.last
  if prev ~= t.lost then
    t.before, t.stood = prev, prev
  end
  t.losses = t.losses or {}
  t.losses[#t.losses + 1] = m.name
  if t.empty then
    t.empty, t.gone = false, prev -- all before it has expired
  end
  t.lost, t.last, t.touched = at, at, true
  announce(at, prev, t.name, 'l', m.name, '', m.data)
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
      elseif m.kind == 't' or m.kind == 'j' then
        m.at = store(t, m, m.kind .. t.kind)
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
if not position then
  take()
end

-- Part 3: which groups can be taken, and which messages are new.
--
-- Needs topics, epoch, turns, now, nextKey and unseen; gives groups, each a list of
-- runs with a verdict, and highestHere. A run that has an answer, or a first that is
-- the same one as its last message, is not stored. Of one that is known in part,
-- what is left is the rest.

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

-- What a topic comes to be by what is taken of it, as long as nothing is written:
-- how it ended, and of a table its keys and bytes, and what these take.
local function draftOf(drafts, t)
  if not drafts[t] then
    local d = t.draft or t
    drafts[t] = { status = d.status, live = d.live, bytes = d.bytes, sizes = {} }
  end
  return drafts[t]
end

-- Why a table does not take a message, or nil.
local function overflow(t, d, m)
  local before = d.sizes[m.key] or t.sizes and t.sizes[m.key] or entryOf(t, m.key).size
  local size = m.size
  d.live = d.live + (size > 0 and 1 or 0) - (before > 0 and 1 or 0)
  d.bytes = d.bytes + size - before
  d.sizes[m.key] = size
  if before == 0 and d.live > t.most then
    return string.format('full:%%d:%.0f:keys', t.most)
  elseif size > before and d.bytes > keepBytes then
    return string.format('full:%%d:%.0f:bytes', keepBytes)
  end
end

-- Why a topic does not take a message, or nil.
local function refusal(drafts, m)
  local t = m.topic
  if t.kind == 'x' then
    return nil
  end
  local status = (drafts[t] or t.draft or t).status
  if status then
    return 'ended:%d:' .. status
  end
  if not t.now and not m.ends then
    return nil
  end
  local d = draftOf(drafts, t)
  local full = t.now and m.kind ~= 'e' and overflow(t, d, m) or nil
  d.status = m.ends
  return full
end

-- How many topics come to the books by the groups that are taken.
local begun = 0

-- Whether a message of the group would begin a topic beyond those that there may be.
local function crowded(group, t)
  if not t.fresh or t.by and (t.by == group or t.by.verdict == 'ok') then
    return false
  end
  t.by, group.begun = group, group.begun + 1
  return redis.call('ZCARD', topicsKey) + begun + group.begun > maxTopics
end

-- Whether a topic's lease has run out. One that did so unseen is given its time
-- once more.
local function lapsed(t)
  local date = t.lease and redis.call('ZSCORE', dueKey, t.name)
  if turns or t.status or not date then
    t.freed = not turns
    return false
  end
  t.prolonged = tonumber(date) < unseen
  return tonumber(date) <= now and not t.prolonged
end

local moreBase = nextKey - 1
local at = 17 + 3 * topicCount
local function takeArg()
  at = at + 1
  return ARGV[at - 1]
end

-- Reads a run off the arguments.
local function takeRun()
  local m = { topic = topics[tonumber(takeArg())], kind = takeArg(), count = tonumber(takeArg()), texts = takeArg() }
  if m.kind == 'm' then
    return m
  end
  m.key, m.size = takeArg(), tonumber(takeArg())
  if m.size > 0 then
    m.size = m.size + entryCost
  end
  local outlook, once = takeArg(), takeArg()
  if outlook ~= '' then
    local ends, lease = string.match(outlook, '^([%l_]*)/(%d+)$')
    m.ends, m.lease = ends ~= '' and ends or nil, lease ~= '0' and tonumber(lease)
  end
  if once ~= '0' then
    m.once, m.digest = KEYS[moreBase + tonumber(once)], takeArg()
  end
  local producer = takeArg()
  if producer ~= '0' then
    m.producer, m.seq = KEYS[moreBase + tonumber(producer)], tonumber(takeArg())
  end
  return m
end

-- Takes the first messages, as many as are known, off a run.
local function skip(m, known, last)
  local from = 1
  for _ = 1, 4 * known do
    local _, colon, length = string.find(m.texts, '^(%d+):', from)
    from = colon + 1 + tonumber(length)
  end
  m.known, m.before, m.count, m.texts = known, last, m.count - known, string.sub(m.texts, from)
end

-- Which groups can be taken. Of the groups before, here holds the runs that were
-- the first with their once key, and highestHere those with the highest seq of
-- their seq key; claimed and raised hold those of the group itself.
local groups, here, highestHere = {}, {}, {}
for g = 1, groupCount do
  local count, deadline, follows = tonumber(takeArg()), tonumber(takeArg()), takeArg()
  local group = { verdict = 'ok', begun = 0 }
  if now > deadline then
    group.verdict = 'late'
  elseif follows ~= '' and (turns or follows ~= epoch) then
    group.verdict = 'turned'
  end
  local claimed, raised, drafts, messages = {}, {}, {}, 0
  for i = 1, count do
    local m = takeRun()
    group[i] = m
    messages = messages + m.count
    if group.verdict == 'ok' and m.kind == 'l' then
      -- Not in a call that begins another epoch; and once for a topic, unless
      -- another server went on with that epoch, and took what lies behind all
      -- that was told then.
      local told = redis.call('HGET', m.topic.meta, 'lost:' .. m.key)
      if turns or told and not after(m.texts, told) or not gone(m.key, m.texts) then
        m.answer = '-'
      end
    elseif group.verdict == 'ok' and m.kind == 'd' then
      m.answer = not lapsed(m.topic) and '-' or nil
    elseif group.verdict == 'ok' and m.producer then
      local top = raised[m.producer] or highestHere[m.producer] or highest(m.producer)
      if m.seq > top.seq then
        raised[m.producer] = m
        if m.seq - m.count < top.seq then
          skip(m, m.count - (m.seq - top.seq), top)
        end
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
        group.verdict = 'reused:' .. (messages - 1)
      else
        m.first, m.answer = first, answer
      end
    end
    if group.verdict == 'ok' and m.kind ~= 'l' and m.kind ~= 'd' and not m.first and not m.answer then
      local why = crowded(group, m.topic) and 'crowded:%d' or refusal(drafts, m)
      group.verdict = why and string.format(why, messages - m.count) or 'ok'
    end
  end
  if group.verdict == 'ok' then
    begun = begun + group.begun
    for key, m in pairs(claimed) do
      here[key] = m
    end
    for key, m in pairs(raised) do
      highestHere[key] = m
    end
    for t, d in pairs(drafts) do
      t.draft, t.sizes = d, t.sizes or {}
      for key, size in pairs(d.sizes) do
        t.sizes[key] = size
      end
    end
  end
  groups[g] = group
end

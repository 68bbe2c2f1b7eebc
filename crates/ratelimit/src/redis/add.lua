-- Adds what a node has counted, and answers what all nodes have.
-- KEYS: the counters. ARGV: for each what to add and its life in ms.
local answer = {}
for counter = 1, #KEYS do
  local more = ARGV[counter * 2 - 1]
  answer[counter] = redis.call('INCRBY', KEYS[counter], more)
  if answer[counter] == tonumber(more) then
    redis.call('PEXPIRE', KEYS[counter], ARGV[counter * 2])
  end
end
return answer

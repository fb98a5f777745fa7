// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "segment" + "tree" + "node" + "slots" + "bank" + "uploads" + "rowPages" + "root" + "leaf"
        + "directory" + "valueAt" + "elements" + "segmentPages" + "home" + "scratch" + "segments" + "outbox" + "cache"
        + "alive" + "epoch" + "members" + "row" + "joining" + "inode" + "tags" + "other" + "top" + "account" + "counts"
        + "rootPage" + "buffers" + "commit" + "available" + "settle" + "frames" + "used" + "dirtyCount" + "serving" + "sub"
        + "partialPage" + "arrayId" + "bytes" + "away" + "first" + "blocks" + "between" + "generations" + "anchors" + "load"
        + "states" + "places" + "pair" + "since" + "runPages" + "begin" + "segmentRows" + "transfer" + "clock" + "depth"
        + "nowMs" + "busy" + "labels" + "rootTail" + "left" + "seek" + "far" + "wear" + "pages" + "serial" + "remove"
        + "sizes" + "port" + "sinceMs" + "reads" + "badChecks" + "erased" + "program" + "ids" + "freeSegments"
        + "isTailWhole" + "find" + "commands" + "partnerOwn" + "stepped" + "journal" + "tag" + "progressDue" + "betweenTail"
        + "readPage" + "store" + "durable" + "drop" + "most" + "aloneTicks" + "active" + "replies" + "now" + "runCounts"
        + "put" + "touch" + "use" + "positions" + "finish" + "of" + "isPinned" + "victim" + "live" + "kind" + "ensure"
        + "listedPage" + "cursor" + "hosted" + "writeAnchor" + "writeMask" + "rate" + "idOf" + "again" + "retiring"
        + "writes" + "changed" + "extent" + "heardBusMs" + "count" + "take" + "partialBytes" + "held" + "wake" + "hasRuns"
        + "dead" + "clear" + "parity" + "pins" + "repair" + "room" + "bad" + "orphans" + "cleaner" + "run" + "snapshot"
        + "heardMs" + "markKinds" + "sha256" + "homeBusy" + "heardPartnerMs" + "beatDue" + "partnerAlive" + "askedVerb"
        + "control" + "sequence" + "slot" + "append" + "setInode" + "commitNumber" + "uploadOf" + "changeNumber" + "forget"
        + "valueBytes" + "dueMs" + "total" + "readAt" + "holds" + "look" + "markIds" + "markNumbers" + "erase" + "toldEnds"
        + "partnerBusy" + "partnerRole" + "offset" + "answers" + "outcomes" + "heardBus" + "unsettled" + "notify"
        + "tailBefore" + "usedMs" + "recover" + "news" + "sectorIsOpen" + "runBlocks" + "weakRow" + "make" + "setAway"
        + "wearBase" + "cold" + "segmentsMax" + "firstTag" + "freed" + "header" + "recorded" + "step" + "kinds" + "identify"
        + "changedLast" + "mounted" + "toldObjects" + "toldStatus" + "copyDueMs" + "failure" + "partnerHold"
        + "noTakeoverBeforeMs" + "end" + "turn" + "refusals" + "workerSignal" + "jobs" + "tidied" + "key" + "runNext"
        + "isProtected" + "rows" + "closedRow" + "badPages" + "sum" + "isEnough" + "isAway" + "pageAt" + "readReserved"
        + "retiredCount" + "copied" + "reach" + "putExtent" + "answer" + "eraseSegment" + "markUsed" + "markTold" + "head"
        + "second" + "fiber" + "pending" + "requests" + "takeovers" + "partnerSeenOwning" + "holding" + "givebacks" + "found"
        + "repaired" + "passes" + "extentLeft" + "replaying" + "opened" + "size" + "lastSendMs" + "nextBeatMs"
        + "lastProgressMs" + "lastRecordedMs",
)

// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "segment" + "tree" + "node" + "slots" + "bank" + "uploads" + "rowPages" + "root" + "leaf"
        + "directory" + "valueAt" + "elements" + "segmentPages" + "home" + "scratch" + "segments" + "outbox" + "cache"
        + "alive" + "epoch" + "members" + "row" + "joining" + "inode" + "tags" + "other" + "top" + "account" + "available"
        + "counts" + "buffers" + "settle" + "commit" + "frames" + "used" + "dirtyCount" + "serving" + "sub" + "partialPage"
        + "arrayId" + "bytes" + "away" + "first" + "blocks" + "between" + "rootPage" + "generations" + "load" + "states"
        + "places" + "pair" + "since" + "runPages" + "anchors" + "begin" + "segmentRows" + "transfer" + "clock" + "depth"
        + "nowMs" + "busy" + "labels" + "rootTail" + "left" + "seek" + "far" + "wear" + "pages" + "remove" + "sizes" + "port"
        + "sinceMs" + "reads" + "badChecks" + "erased" + "program" + "ids" + "find" + "commands" + "freeSegments"
        + "partnerOwn" + "stepped" + "journal" + "tag" + "progressDue" + "serial" + "betweenTail" + "readPage" + "store"
        + "durable" + "drop" + "aloneTicks" + "active" + "replies" + "now" + "runCounts" + "put" + "touch" + "use"
        + "positions" + "finish" + "of" + "isPinned" + "victim" + "live" + "kind" + "ensure" + "listedPage" + "cursor"
        + "hosted" + "writeAnchor" + "cleaner" + "writeMask" + "rate" + "idOf" + "again" + "retiring" + "writes" + "changed"
        + "extent" + "heardBusMs" + "count" + "take" + "partialBytes" + "held" + "wake" + "hasRuns" + "dead" + "clear"
        + "parity" + "pins" + "repair" + "room" + "bad" + "run" + "snapshot" + "heardMs" + "markKinds" + "sha256"
        + "homeBusy" + "heardPartnerMs" + "beatDue" + "partnerAlive" + "askedVerb" + "control" + "sequence" + "slot"
        + "append" + "setInode" + "commitNumber" + "uploadOf" + "changeNumber" + "forget" + "valueBytes" + "dueMs" + "total"
        + "readAt" + "holds" + "look" + "markIds" + "markNumbers" + "orphans" + "erase" + "toldEnds" + "partnerBusy"
        + "partnerRole" + "offset" + "answers" + "outcomes" + "heardBus" + "unsettled" + "notify" + "tailBefore" + "usedMs"
        + "recover" + "news" + "sectorIsOpen" + "runBlocks" + "weakRow" + "make" + "setAway" + "wearBase" + "cold"
        + "segmentsMax" + "firstTag" + "recorded" + "step" + "kinds" + "identify" + "changedLast" + "freed" + "mounted"
        + "toldObjects" + "toldStatus" + "copyDueMs" + "failure" + "partnerHold" + "noTakeoverBeforeMs" + "end" + "turn"
        + "refusals" + "workerSignal" + "jobs" + "tidied" + "key" + "runNext" + "isProtected" + "header" + "rows"
        + "closedRow" + "badPages" + "sum" + "isEnough" + "isAway" + "pageAt" + "readReserved" + "retiredCount" + "copied"
        + "reach" + "putExtent" + "answer" + "eraseSegment" + "markUsed" + "markTold" + "head" + "second" + "fiber"
        + "pending" + "requests" + "takeovers" + "partnerSeenOwning" + "holding" + "givebacks" + "found" + "repaired"
        + "passes" + "extentLeft" + "replaying" + "opened" + "size" + "lastSendMs" + "nextBeatMs" + "lastProgressMs"
        + "lastRecordedMs" + "heardPartner" + "lines",
)

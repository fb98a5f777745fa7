// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "node" + "segment" + "tree" + "slots" + "bank" + "uploads" + "segmentPages" + "rowPages"
        + "elements" + "root" + "leaf" + "directory" + "outbox" + "scratch" + "valueAt" + "home" + "segments" + "alive"
        + "members" + "cache" + "epoch" + "joining" + "row" + "other" + "inode" + "tags" + "top" + "account" + "rootPage"
        + "buffers" + "commit" + "serving" + "dirtyCount" + "available" + "frames" + "used" + "anchors" + "settle" + "sub"
        + "partialPage" + "arrayId" + "away" + "blocks" + "counts" + "between" + "generations" + "nowMs" + "segmentRows"
        + "load" + "states" + "places" + "pair" + "since" + "runPages" + "busy" + "clock" + "depth" + "freeSegments"
        + "first" + "labels" + "rootTail" + "seek" + "wear" + "sizes" + "isTailWhole" + "pages" + "left" + "remove"
        + "sinceMs" + "reads" + "badChecks" + "erased" + "ids" + "commitNumber" + "now" + "bytes" + "commands" + "partnerOwn"
        + "stepped" + "journal" + "tag" + "progressDue" + "serial" + "betweenTail" + "readPage" + "store" + "durable"
        + "pins" + "aloneTicks" + "active" + "replies" + "runCounts" + "put" + "use" + "positions" + "of" + "isPinned"
        + "victim" + "live" + "rate" + "port" + "kind" + "ensure" + "listedPage" + "cursor" + "writeAnchor" + "writeMask"
        + "idOf" + "again" + "sequence" + "slot" + "retiring" + "finish" + "changed" + "extent" + "heardBusMs" + "count"
        + "partialBytes" + "held" + "hasRuns" + "parity" + "room" + "bad" + "orphans" + "transfer" + "cleaner" + "begin"
        + "program" + "run" + "snapshot" + "heardMs" + "markKinds" + "sha256" + "homeBusy" + "heardPartnerMs" + "beatDue"
        + "partnerAlive" + "askedVerb" + "control" + "setInode" + "uploadOf" + "forget" + "valueBytes" + "dueMs" + "total"
        + "recover" + "sectorIsOpen" + "header" + "weakRow" + "far" + "repair" + "markIds" + "markNumbers" + "erase"
        + "toldEnds" + "partnerBusy" + "partnerRole" + "offset" + "heardBus" + "unsettled" + "notify" + "tailBefore"
        + "usedMs" + "news" + "runBlocks" + "wearBase" + "cold" + "segmentsMax" + "firstTag" + "freed" + "toldObjects"
        + "begunAt" + "exchange" + "drop" + "append" + "answers" + "outcomes" + "recorded" + "kinds" + "identify"
        + "changedLast" + "mounted" + "toldStatus" + "copyDueMs" + "failure" + "partnerHold" + "noTakeoverBeforeMs" + "end"
        + "turn" + "workerSignal" + "jobs" + "tidied" + "key" + "runNext" + "rows" + "closedRow" + "badPages" + "isAway"
        + "retiredCount" + "copied" + "select" + "hosted" + "refusals" + "eraseSegment" + "markUsed" + "markTold" + "head"
        + "fiber" + "pending" + "requests" + "takeovers" + "partnerSeenOwning" + "holding" + "givebacks" + "found"
        + "repaired" + "passes" + "extentLeft" + "replaying" + "opened" + "size" + "lastSendMs" + "nextBeatMs"
        + "lastProgressMs" + "lastRecordedMs" + "heardPartner" + "lines" + "carriers" + "askedTag" + "lastCommandMs"
        + "worker" + "isReady" + "strideBytes" + "notice" + "onLoss" + "shape" + "findNewest" + "isUsed" + "hasPins"
        + "recount" + "choose" + "isMovable" + "loadAny" + "flush" + "freeKey" + "settled",
)

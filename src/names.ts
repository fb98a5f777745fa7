// Written by `npm run names`: the names of fields and methods, the one used most often first. The compiler numbers names as it meets them,
// and the first 248 take one byte in the code instead of three. This takes none: what is only kept is not called (docs/decisions/0006).

import * as ds from "@devicescript/core"

// prettier-ignore
ds.keep(
    ds.keep
        + "volume" + "usage" + "segment" + "node" + "tree" + "slots" + "bank" + "uploads" + "rowPages" + "root" + "leaf"
        + "directory" + "outbox" + "valueAt" + "elements" + "segmentPages" + "home" + "scratch" + "segments" + "alive"
        + "cache" + "epoch" + "members" + "row" + "joining" + "inode" + "tags" + "other" + "top" + "account" + "rootPage"
        + "available" + "buffers" + "commit" + "frames" + "used" + "dirtyCount" + "serving" + "settle" + "sub"
        + "partialPage" + "arrayId" + "away" + "counts" + "blocks" + "between" + "generations" + "anchors" + "load"
        + "states" + "places" + "pair" + "since" + "runPages" + "segmentRows" + "busy" + "clock" + "depth" + "nowMs"
        + "first" + "labels" + "rootTail" + "left" + "seek" + "wear" + "sizes" + "pages" + "remove" + "sinceMs" + "reads"
        + "badChecks" + "erased" + "ids" + "freeSegments" + "isTailWhole" + "now" + "bytes" + "commands" + "partnerOwn"
        + "stepped" + "journal" + "tag" + "progressDue" + "serial" + "betweenTail" + "readPage" + "store" + "durable"
        + "pins" + "aloneTicks" + "active" + "replies" + "runCounts" + "put" + "use" + "positions" + "of" + "isPinned"
        + "port" + "victim" + "live" + "kind" + "ensure" + "listedPage" + "cursor" + "writeAnchor" + "cleaner" + "writeMask"
        + "rate" + "idOf" + "again" + "retiring" + "finish" + "changed" + "extent" + "heardBusMs" + "count" + "partialBytes"
        + "held" + "hasRuns" + "parity" + "room" + "bad" + "transfer" + "begin" + "program" + "run" + "snapshot" + "heardMs"
        + "markKinds" + "sha256" + "homeBusy" + "heardPartnerMs" + "beatDue" + "partnerAlive" + "askedVerb" + "control"
        + "sequence" + "slot" + "setInode" + "commitNumber" + "uploadOf" + "changeNumber" + "forget" + "valueBytes" + "dueMs"
        + "total" + "far" + "repair" + "markIds" + "markNumbers" + "orphans" + "erase" + "toldEnds" + "partnerBusy"
        + "partnerRole" + "offset" + "heardBus" + "unsettled" + "notify" + "tailBefore" + "usedMs" + "recover" + "news"
        + "sectorIsOpen" + "runBlocks" + "weakRow" + "wearBase" + "cold" + "segmentsMax" + "firstTag" + "freed"
        + "toldObjects" + "header" + "exchange" + "drop" + "append" + "answers" + "outcomes" + "recorded" + "kinds"
        + "identify" + "changedLast" + "mounted" + "toldStatus" + "copyDueMs" + "failure" + "partnerHold"
        + "noTakeoverBeforeMs" + "end" + "turn" + "workerSignal" + "jobs" + "tidied" + "key" + "runNext" + "rows"
        + "closedRow" + "badPages" + "isAway" + "retiredCount" + "copied" + "select" + "touch" + "hosted" + "refusals"
        + "putExtent" + "eraseSegment" + "markUsed" + "markTold" + "head" + "fiber" + "pending" + "requests" + "takeovers"
        + "partnerSeenOwning" + "holding" + "givebacks" + "found" + "repaired" + "passes" + "extentLeft" + "replaying"
        + "opened" + "size" + "lastSendMs" + "nextBeatMs" + "lastProgressMs" + "lastRecordedMs" + "heardPartner" + "lines"
        + "carriers" + "askedTag" + "lastCommandMs" + "worker" + "isReady" + "strideBytes" + "notice" + "onLoss" + "shape"
        + "findNewest" + "isUsed" + "hasPins" + "recount" + "choose" + "isMovable" + "loadAny" + "freeKey",
)

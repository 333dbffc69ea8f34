// What each option is answered.
extension Handshake {
    /// Answers an option whose data have arrived whole.
    mutating func answer(
        _ code: UInt32,
        _ data: ArraySlice<UInt8>,
        from directory: borrowing some ExportDirectory
    ) -> HandshakeOutcome {
        guard let option = OptionCode(rawValue: code) else {
            refuse(code, .unknownOption(code))
            return .ongoing
        }
        if option == .exportName { return answerExportName(data, from: directory) }
        if option == .abort {
            reply(to: option, OptionReplyType.acknowledged)
            return end(.aborted)
        }
        guard !directory.isStopping else {
            refuse(code, .shuttingDown)
            return end(.shuttingDown)
        }
        do throws(OptionRefusal) {
            return try answer(option, data, from: directory)
        } catch {
            refuse(code, error)
            return .ongoing
        }
    }

    private mutating func answer(
        _ option: OptionCode,
        _ data: ArraySlice<UInt8>,
        from directory: borrowing some ExportDirectory
    ) throws(OptionRefusal) -> HandshakeOutcome {
        switch option {
        case .exportName, .abort: break
        case .list:
            try requireNoData(option, data)
            listed = directory.allExports()
            state = .listing(next: 0)
        case .startTLS:
            try requireNoData(option, data)
            throw .withoutTLS
        case .information, .go:
            let export = try readExportQuery(option, data, from: directory)
            tellInformation(option, of: export)
            if option == .go { return finish(with: export) }
        case .structuredReply:
            try requireNoData(option, data)
            usesStructuredReplies = true
            reply(to: option, OptionReplyType.acknowledged)
        case .listMetaContext, .setMetaContext:
            try answerMetaContext(option, data, from: directory)
        case .extendedHeaders: throw .withoutExtendedHeaders
        }
        return .ongoing
    }

    /// EXPORT_NAME has no way to say no but to close.
    private mutating func answerExportName(
        _ data: ArraySlice<UInt8>,
        from directory: borrowing some ExportDirectory
    ) -> HandshakeOutcome {
        guard !directory.isStopping else { return end(.shuttingDown) }
        // Why a name is no text cannot be told: the protocol has no reply for it.
        guard let name = try? text(data), let export = directory.export(named: name) else {
            return end(.exportNameRefused)
        }
        output.appendBig(export.byteCount)
        output.appendBig(transmissionFlags(of: export).rawValue)
        if !paddingIsOmitted { output.append(contentsOf: repeatElement(0, count: 124)) }
        return finish(with: export)
    }

    /// Tells exports until enough output waits; the rest follows when that is sent.
    mutating func tell(listedFrom first: Int) {
        var next = first
        while next < listed.count && !isHeldBack {
            let export = listed[next]
            var data: [UInt8] = []
            data.appendBig(UInt32(clamping: export.name.utf8.count))
            data += export.name.utf8
            data += export.description.utf8
            reply(to: .list, OptionReplyType.server, data)
            next += 1
        }
        if next < listed.count {
            state = .listing(next: next)
        } else {
            listed = []
            state = .optionHeader
            reply(to: .list, OptionReplyType.acknowledged)
        }
    }

    /// The data of INFO and GO: a name, and the kinds of information that are wanted.  All are
    /// told anyway, so unknown and repeated kinds change nothing.
    private func readExportQuery(
        _ option: OptionCode,
        _ data: ArraySlice<UInt8>,
        from directory: borrowing some ExportDirectory
    ) throws(OptionRefusal) -> ExportDescription {
        var reader = OptionReader(data)
        let name = try readString(option, &reader)
        guard let kindCount = reader.word16() else { throw .missingBytes(option) }
        for _ in 0..<kindCount {
            guard reader.word16() != nil else { throw .missingBytes(option) }
        }
        try requireEnd(option, reader)
        return try find(name, in: directory)
    }

    private mutating func tellInformation(_ option: OptionCode, of export: ExportDescription) {
        var data: [UInt8] = []
        data.appendBig(InformationType.export)
        data.appendBig(export.byteCount)
        data.appendBig(transmissionFlags(of: export).rawValue)
        reply(to: option, OptionReplyType.information, data)
        data.removeAll()
        data.appendBig(InformationType.name)
        data += export.name.utf8
        reply(to: option, OptionReplyType.information, data)
        if !export.description.isEmpty {
            data.removeAll()
            data.appendBig(InformationType.description)
            data += export.description.utf8
            reply(to: option, OptionReplyType.information, data)
        }
        data.removeAll()
        data.appendBig(InformationType.blockSize)
        data.appendBig(WireLimit.minimumBlockByteCount)
        data.appendBig(WireLimit.preferredBlockByteCount)
        data.appendBig(UInt32(WireLimit.payloadByteCountMax))
        reply(to: option, OptionReplyType.information, data)
        reply(to: option, OptionReplyType.acknowledged)
    }

    /// LIST tells the contexts that the queries match, all without a query; SET selects them.
    private mutating func answerMetaContext(
        _ option: OptionCode,
        _ data: ArraySlice<UInt8>,
        from directory: borrowing some ExportDirectory
    ) throws(OptionRefusal) {
        forgetContexts(for: option.rawValue)
        let isSelecting = option == .setMetaContext
        guard usesStructuredReplies || !isSelecting else { throw .structuredRepliesNeeded }
        var reader = OptionReader(data)
        let name = try readString(option, &reader)
        guard let queryCount = reader.word32() else { throw .missingBytes(option) }
        guard queryCount <= WireLimit.metaContextQueryCountMax else {
            throw .tooManyQueries(queryCount)
        }
        var matched: MetaContextSet = queryCount == 0 && !isSelecting ? .all : []
        for _ in 0..<queryCount {
            let query = try readString(option, &reader)
            matched.formUnion(.init(query: query, allowsWildcards: !isSelecting))
        }
        try requireEnd(option, reader)
        let export = try find(name, in: directory)
        if isSelecting {
            contexts = matched
            contextExportName = export.name
        }
        for context in MetaContext.allCases where matched.contains(context.member) {
            var data: [UInt8] = []
            // Identifiers mean nothing in an answer to LIST and are zero there.
            data.appendBig(isSelecting ? context.rawValue : 0)
            data += context.name.utf8
            reply(to: option, OptionReplyType.metaContext, data)
        }
        reply(to: option, OptionReplyType.acknowledged)
    }

    // MARK: Parts of options

    private func requireNoData(
        _ option: OptionCode,
        _ data: ArraySlice<UInt8>
    ) throws(OptionRefusal) {
        guard data.isEmpty else { throw .unexpectedData(option, byteCount: data.count) }
    }

    private func requireEnd(_ option: OptionCode, _ reader: OptionReader) throws(OptionRefusal) {
        guard reader.byteCount == 0 else {
            throw .surplusBytes(option, byteCount: reader.byteCount)
        }
    }

    /// A length and a string of text.
    private func readString(
        _ option: OptionCode,
        _ reader: inout OptionReader
    ) throws(OptionRefusal) -> ArraySlice<UInt8> {
        guard let byteCount = reader.word32() else { throw .missingBytes(option) }
        guard byteCount <= WireLimit.stringByteCountMax else {
            throw .stringTooLong(byteCount: byteCount)
        }
        guard let bytes = reader.bytes(count: byteCount) else { throw .missingBytes(option) }
        _ = try text(bytes)
        return bytes
    }

    private func text(_ bytes: ArraySlice<UInt8>) throws(OptionRefusal) -> String {
        guard bytes.count <= WireLimit.stringByteCountMax else {
            throw .stringTooLong(byteCount: UInt32(clamping: bytes.count))
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw .stringNotText
        }
        return text
    }

    private func find(
        _ name: ArraySlice<UInt8>,
        in directory: borrowing some ExportDirectory
    ) throws(OptionRefusal) -> ExportDescription {
        guard let export = directory.export(named: try text(name)) else {
            throw .noSuchExport(name: Array(name))
        }
        return export
    }

    // MARK: Replies

    private mutating func reply(to option: OptionCode, _ type: UInt32, _ data: [UInt8] = []) {
        reply(toCode: option.rawValue, type, data)
    }

    /// Refuses an option with its reason.
    mutating func refuse(_ code: UInt32, _ refusal: OptionRefusal) {
        let text = Array(refusal.text.utf8.prefix(WireLimit.textByteCountMax))
        reply(toCode: code, refusal.type.rawValue, text)
    }

    private mutating func reply(toCode code: UInt32, _ type: UInt32, _ data: [UInt8]) {
        output.appendBig(Magic.optionReply)
        output.appendBig(code)
        output.appendBig(type)
        output.appendBig(UInt32(clamping: data.count))
        output += data
    }
}

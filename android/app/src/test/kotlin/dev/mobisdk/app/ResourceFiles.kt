package dev.mobisdk.app

import org.w3c.dom.Document
import org.w3c.dom.Element
import java.io.File
import javax.xml.parsers.DocumentBuilderFactory

internal val repository: File =
    generateSequence(File("").absoluteFile) { it.parentFile }.first { File(it, "tests/contract").isDirectory }

internal val contractFolder = File(repository, "tests/contract")

internal val resourceFolder = File(repository, "android/app/src/main/res")

internal fun parseXml(file: File): Document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file)

internal val Document.elements: List<Element>
    get() = getElementsByTagName("*").let { nodes -> List(nodes.length) { nodes.item(it) as Element } }

@_exported import CoreVideo
import Foundation

/// https://developer.apple.com/documentation/objectivec/autoreleasepool(invoking:)
public func autoreleasepool<Result>(invoking body: () throws -> Result) rethrows -> Result { try body() }

/// https://developer.apple.com/documentation/coreml/mlmodel
open class MLModel: NSObject {
  public convenience init(contentsOf url: URL, configuration: MLModelConfiguration) throws { fatalError() }
  open class func compileModel(at modelURL: URL) async throws -> URL { fatalError() }
  open var modelDescription: MLModelDescription { fatalError() }
  open func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider { fatalError() }
}

/// https://developer.apple.com/documentation/coreml/mlmodelconfiguration
open class MLModelConfiguration: NSObject {
  open var computeUnits: MLComputeUnits = .all
}

/// https://developer.apple.com/documentation/coreml/mlcomputeunits
public enum MLComputeUnits: Int, @unchecked Sendable {
  case cpuOnly = 0
  case cpuAndGPU = 1
  case all = 2
  case cpuAndNeuralEngine = 3
}

/// https://developer.apple.com/documentation/coreml/mlmodeldescription
open class MLModelDescription: NSObject {
  open var inputDescriptionsByName: [String: MLFeatureDescription] { fatalError() }
}

/// https://developer.apple.com/documentation/coreml/mlfeaturedescription
open class MLFeatureDescription: NSObject {
  open var type: MLFeatureType { fatalError() }
}

/// https://developer.apple.com/documentation/coreml/mlfeaturetype
public enum MLFeatureType: Int, @unchecked Sendable {
  case invalid = 0
  case image = 4
  case multiArray = 5
}

/// https://developer.apple.com/documentation/coreml/mlfeatureprovider
public protocol MLFeatureProvider {
  var featureNames: Set<String> { get }
  func featureValue(for featureName: String) -> MLFeatureValue?
}

/// https://developer.apple.com/documentation/coreml/mldictionaryfeatureprovider
open class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
  public init(dictionary: [String: Any]) throws {}
  open var featureNames: Set<String> { fatalError() }
  open func featureValue(for featureName: String) -> MLFeatureValue? { fatalError() }
}

/// https://developer.apple.com/documentation/coreml/mlfeaturevalue
open class MLFeatureValue: NSObject {
  public init(pixelBuffer value: CVPixelBuffer) {}
  public init(multiArray value: MLMultiArray) {}
  open var multiArrayValue: MLMultiArray? { fatalError() }
}

/// https://developer.apple.com/documentation/coreml/mlmultiarraydatatype
public enum MLMultiArrayDataType: Int, @unchecked Sendable {
  case double = 65600
  case float32 = 65568
  case float16 = 65552
  case int32 = 131104
}

/// https://developer.apple.com/documentation/coreml/mlmultiarray
open class MLMultiArray: NSObject {
  public init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {}
  open var count: Int { fatalError() }
  open var dataType: MLMultiArrayDataType { fatalError() }
  open var strides: [NSNumber] { fatalError() }
  open subscript(idx: Int) -> NSNumber { fatalError() }
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { fatalError() }
  public func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer, [Int]) throws -> R) rethrows -> R {
    fatalError()
  }
}

/// https://developer.apple.com/documentation/coreml/mlcomputedevice
public enum MLComputeDevice: Sendable {
  case cpu(MLCPUComputeDevice)
  case gpu(MLGPUComputeDevice)
  case neuralEngine(MLNeuralEngineComputeDevice)
}
/// https://developer.apple.com/documentation/coreml/mlcpucomputedevice
public final class MLCPUComputeDevice: Sendable {}
/// https://developer.apple.com/documentation/coreml/mlgpucomputedevice
public final class MLGPUComputeDevice: Sendable {}
/// https://developer.apple.com/documentation/coreml/mlneuralenginecomputedevice
public final class MLNeuralEngineComputeDevice: Sendable {}

/// https://developer.apple.com/documentation/coreml/mlcomputeplan-1w21n
@available(iOS 17.4, macOS 14.4, *)
public final class MLComputePlan {
  public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan {
    fatalError()
  }
  public var modelStructure: MLModelStructure { fatalError() }
  public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { fatalError() }
  public func estimatedCost(of operation: MLModelStructure.Program.Operation) -> Cost? { fatalError() }

  public struct DeviceUsage: Sendable {
    public let preferred: MLComputeDevice
  }
  public struct Cost: Sendable {
    public let weight: Double
  }
}

/// https://developer.apple.com/documentation/coreml/mlmodelstructure-2rb3y
@available(iOS 17.4, macOS 14.4, *)
public enum MLModelStructure: Sendable {
  case program(Program)
  case unsupported

  public struct Program: Sendable {
    public let functions: [String: Function]

    public struct Function: Sendable {
      public let block: Block
    }
    public struct Block: Sendable {
      public let operations: [Operation]
    }
    public struct Operation: Sendable {
      public let blocks: [Block]
    }
  }
}

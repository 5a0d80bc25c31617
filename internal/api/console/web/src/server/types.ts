// What the server answers, as far as the console shows it. Coordinates are ratios of the picture's width and height, from its upper left.

export interface Box { Left: number; Top: number; Width: number; Height: number }
export interface Landmark { Type: string; X: number; Y: number }
interface Seen { Value: boolean; Confidence: number }

export interface FaceDetail {
  BoundingBox: Box;
  Confidence: number;
  Landmarks?: Landmark[];
  Pose?: { Roll: number; Yaw: number; Pitch: number };
  Quality?: { Brightness: number; Sharpness: number };
  AgeRange?: { Low: number; High: number };
  Gender?: { Value: string; Confidence: number };
  Smile?: Seen;
  EyesOpen?: Seen;
  MouthOpen?: Seen;
  Emotions?: { Type: string; Confidence: number }[];
}

export interface Point { X: number; Y: number }

/** A line of text, or a word of the line that is its parent. The polygon begins at the text's upper left and goes clockwise as it is read. */
export interface TextDetection {
  DetectedText: string;
  Type: "LINE" | "WORD";
  Id: number;
  ParentId?: number;
  Confidence: number;
  Geometry: { BoundingBox: Box; Polygon: Point[] };
}

export interface Face {
  FaceId: string;
  BoundingBox: Box;
  ImageId: string;
  ExternalImageId?: string;
  Confidence: number;
  UserId?: string;
}

export interface FaceMatch { Similarity: number; Face: Face }
export interface UserMatch { Similarity: number; User: { UserId: string; UserStatus: string } }
export interface User { UserId: string; UserStatus: string }

/** A face that was compared, which no collection has. */
export interface ComparedFace { BoundingBox: Box; Confidence: number; Landmarks?: Landmark[]; Pose?: FaceDetail["Pose"]; Quality?: FaceDetail["Quality"] }
export interface CompareAnswer {
  SourceImageFace: { BoundingBox: Box; Confidence: number };
  FaceMatches: { Similarity: number; Face: ComparedFace }[];
  UnmatchedFaces: ComparedFace[];
}

/** What is similar to each face of a picture. One of the lists of matches is there. */
export interface SearchPictureAnswer {
  FaceModelVersion: string;
  SearchedFaces: { FaceDetail: FaceDetail; FaceMatches?: FaceMatch[]; UserMatches?: UserMatch[] }[];
  UnsearchedFaces: { FaceDetail: FaceDetail; Reasons: string[]; Explanations: string[] }[];
}

/** Groups of faces that belong to no user, the largest first. The counts are those of all groups and faces. */
export interface GroupsAnswer { Groups: { Faces: Face[]; FaceCount: number }[]; GroupCount: number; FaceCount: number; GroupedFaceCount: number }
export interface IndexAnswer {
  FaceRecords: { Face: Face; FaceDetail: FaceDetail }[];
  UnindexedFaces: { Reasons: string[]; FaceDetail: FaceDetail }[];
}

/** What a similarity stands for as a threshold: the shares, 0 to 1, of pairs of two people and of one that reach it. */
export interface Calibrated { Similarity: number; FalseMatchRate: number; TrueAcceptRate: number }
export interface Models { Models: { Version: string; Calibration: Calibrated[] | null }[]; DefaultModel: string; QualityFilters: { Name: string; Bounds: QualityBounds }[] }

/** What a quality filter asks of a face: the least of each, the most brightness, and the most degrees either way. */
export interface QualityBounds { Brightness: number; Sharpness: number; Confidence: number; MostBrightness: number; Side: number; Yaw: number; Pitch: number; Roll: number }

export interface Collection {
  FaceCount: number;
  UserCount?: number;
  FaceModelVersion: string;
  CollectionARN: string;
  CreationTimestamp: number; // seconds since 1970
}

export interface Permissions {
  Account: string;
  Arn: string;
  Root: boolean;
  Region: string;
  Allowed: string[]; // on everything
  Collection?: { CollectionId: string; Allowed: string[] };
}

export interface Counts {
  Requests: number;
  Errors: number;
  Faults: number;
  Rejected: number;
  P50Millis: number;
  P90Millis: number;
  P99Millis: number;
}

export interface Overview {
  Version: string;
  StartedAt: string;
  UptimeSeconds: number;
  Regions: string[];
  Region: string;
  Account: string;
  Models: { Version: string }[];
  DefaultModel: string;
  Collections: number;
  Faces: number;
  Users: number;
  Thumbnails: "shown" | "hidden" | "none";
  Disk: { DatabaseBytes: number; DataBytes: number; FreeBytes: number; TotalBytes: number };
  Memory: { ResidentBytes?: number; HeapBytes: number };
  LastHour: (Counts & { Operation: string; Minutes: (Counts & { Start: string })[] })[];
}

/** A server, as it was at its last heartbeat. */
export interface ClusterNode {
  NodeId: string;
  Host: string;
  Address: string;
  Version: string;
  StartedAt: string;
  Answering: boolean;
  Alive: boolean;
  SecondsSinceHeartbeat: number;
  Collections: number;
  Vectors: number;
  Bytes: number;
  VectorsBehind: number;
  SecondsSinceCompared: number;
}

export interface Cluster { Shared: boolean; Nodes: ClusterNode[] }

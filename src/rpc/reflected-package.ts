import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { ReflectionService } from '@grpc/reflection';
import { FILE_DESCRIPTOR_SET } from './generated/descriptors.ts';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/** `FileDescriptorSet.file`. */
const FILE_FIELD = 1;

/** What server reflection hands out: the descriptors of all of proto/, from the generated code. */
export function reflectedPackage(): PackageDefinition {
  const files = filesOf(Buffer.from(FILE_DESCRIPTOR_SET, 'base64'));
  // Reflection looks at the descriptors and nothing else.
  return {
    'caskade.v1': { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos: files },
  };
}

function filesOf(set: Buffer): Buffer[] {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === FILE_FIELD && wireType === WireType.LengthDelimited)
      files.push(Buffer.from(reader.bytes()));
    else reader.skip(wireType);
  }
  return files;
}
